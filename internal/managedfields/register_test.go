package managedfields

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// A register redacts what any of its secrets would redact.
func TestRegister(t *testing.T) {
	t.Parallel()
	register := &Register{}
	if got := register.Redact("hunter2-secret"); got != "hunter2-secret" || register.In(got) {
		t.Errorf("an empty register redacts: %q", got)
	}
	register.Add(nil)
	register.Add(NewSecrets(map[string]string{"SHORT": "abcd", "B": "hunter2-secret"}))
	register.Add(NewSecrets(map[string]string{"LONG": "abcd-efgh", "A": "hunter2-secret", "TINY": "abc"}))
	for text, want := range map[string]string{
		"":                           "",
		"abc":                        "abc",
		"abcd":                       "(secret SHORT)",
		"x abcd-efgh, abcd y":        "x (secret LONG), (secret SHORT) y",
		"abcabcdabcd-efg":            "abc(secret SHORT)(secret SHORT)-efg",
		"hunter2-secret":             "(secret A)",
		`"hunter2-secret\n" hunter2`: `"(secret A)\n" hunter2`,
		"token " + base64.StdEncoding.EncodeToString([]byte("hunter2-secret")): "token (secret A)",
	} {
		if got := register.Redact(text); got != want || register.In(text) != (got != text) {
			t.Errorf("%q is redacted to %q, want %q", text, got, want)
		}
	}
	var none *Register
	none.Add(NewSecrets(map[string]string{"A": "hunter2-secret"}))
	if none.In("hunter2-secret") {
		t.Error("no register knows a secret")
	}
}

// Clients are applied at the same time.
func TestRegister_concurrent(t *testing.T) {
	t.Parallel()
	register := &Register{}
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			secret := fmt.Sprintf("secret-of-client-%d.", i)
			register.Add(NewSecrets(map[string]string{"PASSWORD": secret}))
			if got := register.Redact("x" + secret + "y"); got != "x(secret PASSWORD)y" {
				t.Errorf("got %q", got)
			}
		})
	}
	group.Wait()
}

// What it costs to redact a text does not grow with the number of clients.
func BenchmarkRegister(b *testing.B) {
	text := strings.Repeat("a message about client acme. ", 10)
	for _, clients := range []int{1, 5000} {
		register := &Register{}
		for i := range clients {
			register.Add(NewSecrets(map[string]string{"PASSWORD": fmt.Sprintf("%d-s3cr3t-%d", i, i*i)}))
		}
		b.Run(fmt.Sprintf("%d clients", clients), func(b *testing.B) {
			for b.Loop() {
				register.Redact(text)
			}
		})
	}
}
