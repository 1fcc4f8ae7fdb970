package pluginrunner

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

func tlsConfig(ca, cert, key string) (*tls.Config, error) {
	config := &tls.Config{}
	if ca != "" {
		pem, err := readPEM("/tls/ca", ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, noCertificate("/tls/ca", ca, pem)
		}
	}
	if cert == "" && key == "" {
		return config, nil
	}
	if cert == "" || key == "" {
		return nil, misuse(either(cert == "", "/tls/cert", "/tls/key"), "A client's certificate and its key go together.", nil)
	}
	certPEM, err := readPEM("/tls/cert", cert)
	if err != nil {
		return nil, err
	}
	keyPEM, err := readPEM("/tls/key", key)
	if err != nil {
		return nil, err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(certPEM) {
		return nil, noCertificate("/tls/cert", cert, certPEM)
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, misuse("/tls/key", fmt.Sprintf("%s is not the key of %s: %v.", key, cert, err), err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

func readPEM(field, name string) ([]byte, error) {
	pem, err := os.ReadFile(name)
	if err != nil {
		return nil, misuse(field, "A file of TLS cannot be read: "+err.Error()+".", err)
	}
	return pem, nil
}

func noCertificate(field, name string, pem []byte) error {
	what := "There is no certificate in " + name
	if bytes.Contains(pem, []byte("PRIVATE KEY-----")) {
		what += ": it holds a private key"
	}
	return misuse(field, what+".", nil)
}

func either(first bool, one, other string) string {
	if first {
		return one
	}
	return other
}
