package pluginrunner

import (
	"crypto/tls"
	"crypto/x509"
	"os"
)

func tlsConfig(ca, cert, key string) (*tls.Config, error) {
	config := &tls.Config{}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, localError("The certificate authorities cannot be read: "+err.Error(), err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, localError("There is no certificate in "+ca+".", nil)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, localError("The client's certificate cannot be read: "+err.Error(), err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
