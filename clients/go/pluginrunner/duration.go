package pluginrunner

import (
	"fmt"
	"strings"
	"time"
)

// isoDuration is a duration as ISO 8601 has it, for example P1DT2H, PT1M30.5S or -PT1S.
func isoDuration(span time.Duration) string {
	if span == 0 {
		return "PT0S"
	}
	sign, nanoseconds := "", uint64(span)
	if span < 0 {
		sign, nanoseconds = "-", -uint64(span)
	}
	seconds, fraction := nanoseconds/1e9, nanoseconds%1e9
	date, clock := "", ""
	if days := seconds / 86_400; days > 0 {
		date = fmt.Sprintf("%dD", days)
	}
	if hours := seconds / 3_600 % 24; hours > 0 {
		clock = fmt.Sprintf("%dH", hours)
	}
	if minutes := seconds / 60 % 60; minutes > 0 {
		clock += fmt.Sprintf("%dM", minutes)
	}
	if rest := seconds % 60; fraction > 0 {
		clock += strings.TrimRight(fmt.Sprintf("%d.%09d", rest, fraction), "0") + "S"
	} else if rest > 0 {
		clock += fmt.Sprintf("%dS", rest)
	}
	if clock != "" {
		clock = "T" + clock
	}
	return sign + "P" + date + clock
}
