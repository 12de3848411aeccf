package connection

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"maps"
	"slices"
	"strings"

	clientauthv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	clientauthv1beta1 "k8s.io/client-go/pkg/apis/clientauthentication/v1beta1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// resolveCredentials checks the ways to log in. Where an attribute sets one way, those
// that only variables set are ignored: the API server prefers a client certificate to
// a token, and so the variable would win.
func (r *effectiveSettings) resolveCredentials(s Settings, _ Environment) error {
	ways := [][]*settingValue{{&r.token}, {&r.username, &r.password}, {&r.clientCertificate, &r.clientKey}}
	inAttributes := func(way []*settingValue) bool {
		return slices.ContainsFunc(way, func(v *settingValue) bool { return v.inAttribute() })
	}
	if s.Exec != nil || slices.ContainsFunc(ways, inAttributes) {
		for _, way := range ways {
			if !inAttributes(way) {
				for _, v := range way {
					*v = settingValue{}
				}
			}
		}
	}

	if s.Exec != nil {
		exec, err := execConfig(*s.Exec)
		if err != nil {
			return err
		}
		// client-go would ignore the plugin without a word.
		if other := r.credential(); other.isSet() {
			return settingValue{attribute: "exec"}.errorf("is not used together with %s; remove one of the two", other.origin())
		}
		r.exec = exec
		return nil
	}

	// A file read into the attribute usually ends in a line break.
	r.token.value = strings.TrimSpace(r.token.value)
	if strings.ContainsFunc(r.token.value, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return r.token.errorf("holds white space or control characters, which no bearer token has")
	}
	if r.token.isSet() && r.username.isSet() {
		return r.token.errorf("and %s are two ways to log in that exclude each other; remove one of the two", r.username.origin())
	}
	if r.password.isSet() && !r.username.isSet() {
		return r.password.errorf("needs a user name: set username")
	}
	switch {
	case r.clientKey.isSet() && !r.clientCertificate.isSet():
		return r.clientKey.errorf("needs the certificate that belongs to it: set client_certificate")
	case r.clientCertificate.isSet() && !r.clientKey.isSet():
		return r.clientCertificate.errorf("needs the key that belongs to it: set client_key")
	case r.clientCertificate.isSet():
		return checkKeyPair(r.clientCertificate, r.clientKey)
	}
	return nil
}

// checkKeyPair never repeats the key in its errors.
func checkKeyPair(certificate, key settingValue) error {
	if block, _ := pem.Decode([]byte(certificate.value)); block == nil {
		return certificate.errorf("holds no PEM certificate%s", pemHint(certificate.value))
	}
	if block, _ := pem.Decode([]byte(key.value)); block == nil {
		return key.errorf("holds no PEM key%s", pemHint(key.value))
	}
	if _, err := tls.X509KeyPair([]byte(certificate.value), []byte(key.value)); err != nil {
		return certificate.errorf("cannot be used with the key of %s: %w", key.origin(), err)
	}
	return nil
}

// credential returns one of the credentials that were set by themselves, in contrast to
// those of a kubeconfig.
func (r *effectiveSettings) credential() settingValue {
	for _, v := range []settingValue{r.token, r.username, r.password, r.clientCertificate, r.clientKey} {
		if v.isSet() {
			return v
		}
	}
	if r.exec != nil {
		return settingValue{attribute: "exec", value: r.exec.Command}
	}
	return settingValue{}
}

func execConfig(s ExecSettings) (*clientcmdapi.ExecConfig, error) {
	attribute := settingValue{attribute: "exec"}
	versions := []string{clientauthv1.SchemeGroupVersion.String(), clientauthv1beta1.SchemeGroupVersion.String()}
	if !slices.Contains(versions, s.APIVersion) {
		return nil, attribute.errorf("api_version %q is not supported; use %s", s.APIVersion, strings.Join(versions, " or "))
	}
	if strings.TrimSpace(s.Command) == "" {
		return nil, attribute.errorf("command is empty; name the credential plugin to run")
	}
	config := &clientcmdapi.ExecConfig{
		APIVersion:         s.APIVersion,
		Command:            s.Command,
		Args:               slices.Clone(s.Args),
		ProvideClusterInfo: true,
		InteractiveMode:    clientcmdapi.NeverExecInteractiveMode,
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return nil, attribute.errorf("env holds %q, which cannot be the name of an environment variable", name)
		}
		config.Env = append(config.Env, clientcmdapi.ExecEnvVar{Name: name, Value: s.Env[name]})
	}
	return config, nil
}

// checkCertificates makes sure that every block of a bundle is a certificate:
// the standard library skips those that it cannot read, and the
// connection would fail with an error that does not say why.
func checkCertificates(bundle settingValue) error {
	count := 0
	for rest := []byte(bundle.value); ; count++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return bundle.errorf("holds a PEM block of type %q where only certificates belong", block.Type)
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return bundle.errorf("PEM block %d is not a certificate: %w", count+1, err)
		}
	}
	if count == 0 {
		return bundle.errorf("holds no PEM certificate%s", pemHint(bundle.value))
	}
	return nil
}

// pemHint names the two usual mistakes. It does not repeat the value.
func pemHint(value string) string {
	if decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value)); err == nil {
		if block, _ := pem.Decode(decoded); block != nil {
			return "; it is base64 of PEM, as in a kubeconfig: decode it with base64decode()"
		}
	}
	if !strings.ContainsAny(value, "\n") && strings.ContainsAny(value, `/\`) && len(value) < 256 {
		return "; if it is the path of a file, read the file with file()"
	}
	return "; it begins with -----BEGIN when it is right"
}
