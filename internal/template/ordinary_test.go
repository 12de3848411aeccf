package template

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The Django controller replaced three names and left everything else alone.
func TestOrdinaryText(t *testing.T) {
	for _, text := range []string{
		"start $(date -u +%FT%TZ)", "+%FT%T", "%FT%T%z", "%FT%H:%M:%SZ", "%FT%H%M", "%GW%V", "%YW%V-%u", "%HH%M", "%DT%T", "+%FT%Hh%Mm",
		"%Y-%m-%dT%H:%M:%SZ", "%Y%m%d",
		"caf%C3%A9", "%E2%82%AC", "%F0%9F%98%80", "%EF%BB%BF", "%E4%BD%A0%E5%A5%BD", "%C3%a9", "%C3%AA%C3%A8", "%E2%82%ACURO%20",
		"/?q=%C3%89TAT%20%C3%89", "%AF%2B",
		"100%", "%%", "50% or 60%", "100%OK", "%(name)s", "%U%q",
	} {
		t.Run(text, func(t *testing.T) {
			for _, c := range []struct{ before, rendered, after, renderedAfter string }{
				{}, {before: "a/", rendered: "a/", after: "/b", renderedAfter: "/b"},
				{before: "%CLIENT_NAME% ", rendered: "acme ", after: " %CLIENT_NAME%", renderedAfter: " acme"},
			} {
				got := data(t, configMap("a: 'x"+c.before+text+c.after+"'"), testValues())
				if diff := cmp.Diff(map[string]any{"a": "x" + c.rendered + text + c.renderedAfter}, got); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
		})
	}

	t.Run("a closing percent sign that opens a placeholder", func(t *testing.T) {
		got := data(t, configMap("a: x%E2%82%AC%CLIENT_NAME%", "b: x%C3%A9%IMAGE_TAG%", "c: x%AC%CLIENT_NAME%", "d: x%2F%CLIENT_NAME%"),
			testValues("IMAGE_TAG", "3.0"))
		want := map[string]any{"a": "x%E2%82%ACacme", "b": "x%C3%A93.0", "c": "x%ACacme", "d": "x%2Facme"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("a value makes a placeholder of it", func(t *testing.T) {
		got := data(t, configMap("a: host-%DB%01", "b: x%FT%T"), testValues("DB", "maria", "FT", "feet"))
		if diff := cmp.Diff(map[string]any{"a": "host-maria01", "b": "xfeetT"}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("it is a placeholder to whoever asks", func(t *testing.T) {
		parsed := mustParse(t, configMap("a: x%FT%T", "b: x%DB%01", "c: '%DB%'"))
		if !parsed.Uses("FT") || !parsed.IsOrdinaryText("FT") || parsed.IsOrdinaryText("DB") || parsed.IsOrdinaryText("CLIENT_NAME") {
			t.Errorf("FT is ordinary text, and DB is not, as it stands alone in one place: %v", parsed.ordinary)
		}
		_, err := parsed.Render(testValues(), testPolicy)
		if errs := Errors(err); len(errs) != 1 || errs[0].Placeholder != "DB" || errs[0].Line != 4 {
			t.Errorf("got %v, want an error of DB", err)
		}
	})
	t.Run("no value of it is recovered", func(t *testing.T) {
		live := liveConfigMap(t, `{"a": "x%FT%T acme admin@x.example"}`)
		got := mustParse(t, configMap("a: x%FT%T %CLIENT_NAME% %EMAIL_ADMIN%")).Recover(map[string]string{"CLIENT_NAME": "acme"}, live.get)
		if diff := cmp.Diff(Recovered{Values: map[string]string{"EMAIL_ADMIN": "admin@x.example"}}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// What only a placeholder looks like is none by mistake.
func TestForgottenValuesAreFound(t *testing.T) {
	for _, text := range []string{
		"%IMAGE_TAG%", "mira:%IMAGE_TAG%", "%CLIENT_NAMES%", "%CLIENTNAME%", "%PATH%", "%ID%", "%ID%suffix", "mira-%ID%-0", "%TAG%v1", "%DB%",
		"%DB%/x", "%DB%mira", "%TZ%", "%IT%suffix", "%IT%SUFFIX", "%IT%1", "%IT%-T", "%IMAGE%%TAG%", "%ADDRESS%20",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := mustParse(t, configMap("a: 'x"+text+"'")).Render(testValues(), testPolicy)
			if len(Errors(err)) == 0 {
				t.Errorf("%s is taken for text", text)
			}
		})
	}
}
