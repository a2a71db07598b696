package rpc

import (
	"embed"
	"net/http"
	"path"

	"github.com/go-chi/chi/v5"
)

// docsFiles is the documentation page: it draws /openapi.json, and needs nothing from elsewhere.
//
//go:embed docs
var docsFiles embed.FS

// docsPolicy lets the page use what it came with and ask this node, and nothing else.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var docsTypes = map[string]string{".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}

func (s *server) routeDocs(r chi.Router) {
	r.Get("/docs", docsFile("docs/index.html"))
	r.Get("/docs/docs.js", docsFile("docs/docs.js"))
	r.Get("/docs/docs.css", docsFile("docs/docs.css"))
	if s.options.Root == nil {
		r.Get("/", http.RedirectHandler("/docs", http.StatusFound).ServeHTTP)
	}
}

// docsFile serves one of the page's files.
func docsFile(name string) http.HandlerFunc {
	text, err := docsFiles.ReadFile(name)
	if err != nil {
		panic("rpc: the documentation page is not in the binary: " + err.Error())
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", docsTypes[path.Ext(name)])
		w.Header().Set("Content-Security-Policy", docsPolicy)
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(text)
	}
}
