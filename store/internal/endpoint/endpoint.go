// Package endpoint has what the URLs of stores on a network have in common:
// addresses with a default port, and TLS.
package endpoint

import (
	"net"
	"strings"
)

// TLSParams are the parameters of a URL that TLS reads.
var TLSParams = []string{"tls", "ca", "cert", "key", "server_name"}

// Addresses adds a port to the hosts of a URL that have none, and takes IPv6
// addresses out of their brackets and puts them back.
func Addresses(hosts []string, port string) []string {
	all := make([]string, len(hosts))
	for i, host := range hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		all[i] = host
	}
	return all
}
