package pluginrunner

import (
	"fmt"
	"strings"
)

// place is where a value stands; nil is the whole.
type place struct {
	parent *place
	key    string
}

var escaper = strings.NewReplacer("~", "~0", "/", "~1")

// pointer returns the place as a JSON pointer (RFC 6901).
func (p *place) pointer() string {
	if p == nil {
		return ""
	}
	return p.parent.pointer() + "/" + escaper.Replace(strings.ToValidUTF8(p.key, "�"))
}

// misfit is a value that cannot be sent, and where it stands.
type misfit struct {
	at    *place
	what  string
	cause error
}

func (m *misfit) Error() string {
	return m.what
}

func asInvalidParams(err error) error {
	m, ok := err.(*misfit)
	if !ok {
		return invalidRequest("/params", err.Error(), err)
	}
	return invalidRequest("/params"+m.at.pointer(), m.what, m.cause)
}

func refuse(at *place, format string, values ...any) error {
	return &misfit{at: at, what: fmt.Sprintf(format, values...)}
}

func tooLarge(at *place, digits string) error {
	return refuse(at, "is the integer %s, beyond ±(2^53-1), up to which numbers are exact on the wire: send it as text", digits)
}

func tooDeep(at *place) error {
	return refuse(at, "is nested too deep: of %d messages, which clients can read, an object takes %d and a list %d; "+
		"send it flatter, or as text", mostMessages, objectCosts, listCosts)
}
