package pluginrunner

import (
	"crypto/rand"
)

// orNewID returns the id, or a random one of the letters and digits that job ids may have.
func orNewID(id string) string {
	if id == "" {
		return rand.Text()
	}
	return id
}
