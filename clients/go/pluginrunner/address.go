package pluginrunner

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

const defaultPort = "50151"

var (
	// otherTarget is a name of gRPC's that is not host:port.
	otherTarget = regexp.MustCompile(`^(dns|ipv4|ipv6|passthrough|unix|unix-abstract|vsock|xds):`)
	url         = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9+.-]*)://([^/]*)`)
)

// hostPortOf returns host:port, with the default port where none is given, or nothing for another target of gRPC's.
func hostPortOf(address string) (string, error) {
	if otherTarget.MatchString(address) {
		return "", nil
	}
	if match := url.FindStringSubmatch(address); match != nil {
		how := "without WithTLS"
		if strings.HasSuffix(match[1], "s") {
			how = "WithTLS(nil)"
		}
		return "", badAddress(address, fmt.Sprintf("is a URL: give %q, %s", match[2], how))
	}
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == '/' || r == '\x7f' }) {
		return "", badAddress(address, "is not of the form host:port")
	}
	if bare := strings.Trim(address, "[]"); strings.Count(bare, ":") > 1 {
		if _, err := netip.ParseAddr(bare); err == nil {
			return net.JoinHostPort(bare, defaultPort), nil
		}
	}
	if !strings.Contains(address, ":") {
		return address + ":" + defaultPort, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return "", badAddress(address, "is not of the form host:port")
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return "", badAddress(address, fmt.Sprintf("has the port %q, which is no number from 1 to 65535", port))
	}
	return address, nil
}

func badAddress(address, what string) error {
	return misuse("/address", fmt.Sprintf("The address %q %s.", address, what), nil)
}

// isLoopback says whether an address is of this machine itself, to which no proxy leads.
func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}
