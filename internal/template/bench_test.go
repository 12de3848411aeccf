package template

import "testing"

func BenchmarkParse(b *testing.B) {
	text := clientTemplate(b)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRender(b *testing.B) {
	parsed := mustParse(b, clientTemplate(b))
	values := testValues()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parsed.Render(values, defaultPolicy); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRecover(b *testing.B) {
	parsed := mustParse(b, clientTemplate(b))
	objects, err := parsed.Render(testValues(), defaultPolicy)
	if err != nil {
		b.Fatal(err)
	}
	live := unstructuredObjects(objects)
	known := map[string]string{"CLIENT_NAME": "acme"}
	b.ReportAllocs()
	for b.Loop() {
		if got := parsed.Recover(known, live.get); len(got.Values) != 2 {
			b.Fatalf("got %v", got)
		}
	}
}
