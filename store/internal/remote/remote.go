// Package remote has what the URLs of stores on a network have in common: addresses with a default port, and TLS.
package remote

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// TLSParams are the parameters of a URL that TLS reads.
var TLSParams = []string{"tls", "ca", "cert", "key", "server_name"}

// Addresses adds a port to the hosts of a URL that have none, and takes IPv6 addresses out of their brackets and puts them
// back.
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

// TLS makes a configuration of the parameters of a URL:
//
//	tls=true          connect with TLS; any of the others means it, too
//	ca=FILE           the authorities that the servers' certificates must come from, PEM; default: the system's
//	cert=FILE         the client's certificate, PEM, with
//	key=FILE          its key
//	server_name=NAME  the name in the servers' certificates, if it is not the host of the URL
//
// It returns nil without any of them. Its errors name the parameter, and hold no secrets.
func TLS(params map[string]string) (*tls.Config, error) {
	ca, cert, key, name := params["ca"], params["cert"], params["key"], params["server_name"]
	switch params["tls"] {
	case "true":
	case "", "false":
		if ca == "" && cert == "" && key == "" && name == "" {
			return nil, nil
		}
		if params["tls"] == "false" {
			return nil, errors.New("tls=false contradicts ca, cert, key and server_name")
		}
	default:
		return nil, fmt.Errorf("parameter tls=%q: want true or false", params["tls"])
	}
	c := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("parameter ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("parameter ca: %s holds no certificate in PEM form", ca)
		}
	}
	if (cert == "") != (key == "") {
		return nil, errors.New("parameters cert and key: one without the other")
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("parameters cert and key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
