package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// tlsFlags say whom a client believes.
type tlsFlags struct {
	insecure bool
	cacert   string
}

func (t *tlsFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&t.insecure, "insecure", "k", false, "take any certificate")
	f.StringVar(&t.cacert, "cacert", "", "believe these certificate authorities alone, a PEM `file`")
}

func (t *tlsFlags) config() (*tls.Config, error) {
	cfg := &tls.Config{InsecureSkipVerify: t.insecure, MinVersion: tls.VersionTLS12}
	if t.cacert == "" {
		return cfg, nil
	}
	pem, err := os.ReadFile(t.cacert)
	if err != nil {
		return nil, fmt.Errorf("--cacert: %w", err)
	}
	cfg.RootCAs = x509.NewCertPool()
	if !cfg.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--cacert %s: no certificate in it", t.cacert)
	}
	return cfg, nil
}
