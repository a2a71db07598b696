package rpc

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/tetradledger/tetrad/ledger"
)

// Package huma keeps two of its choices in variables of its own. Every answer that is not a success has the
// shape of Error, those that it makes itself included; and the API's lists are empty, never null.
func init() {
	huma.NewError = schemaError
	huma.DefaultArrayNullable = false
}

// apiConfig describes the API to package huma.
func apiConfig(o Options) huma.Config {
	version := o.Version
	if version == "" {
		version = "dev"
	}
	config := huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Tetrad node API",
				Version: version,
				Description: "Submit signed transactions to a Tetrad ledger and read what it holds. Amounts are decimal strings " +
					"at the asset's scale, hashes are lower-case hexadecimal, heights are numbers. Every answer that is not a " +
					"success is an Error whose code is listed at /v1/errors.",
			},
			Components: &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)},
			Tags: []*huma.Tag{
				{Name: tagTransactions, Description: "Submit transactions and learn what became of them."},
				{Name: tagState, Description: "Read accounts, assets, registers and the network's own numbers."},
				{Name: tagBlocks, Description: "Read blocks, and what proofs are checked against."},
				{Name: tagNode, Description: "How the node is."},
			},
		},
		OpenAPIPath:                  "/openapi",
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
	config.AllowAdditionalPropertiesByDefault = true // answers may grow; SubmitRequest says otherwise for itself
	return config
}

const (
	tagTransactions = "Transactions"
	tagState        = "State"
	tagBlocks       = "Blocks"
	tagNode         = "Node"
)

// faultsShown bounds how many faults of one request a message lists.
const faultsShown = 5

// schemaError turns what package huma finds wrong with a request into an Error.
func schemaError(status int, message string, faults ...error) huma.StatusError {
	var parts []string
	for _, fault := range faults {
		if fault == nil {
			continue
		}
		if len(parts) == faultsShown {
			parts = append(parts, "and more")
			break
		}
		parts = append(parts, describeFault(fault))
	}
	if len(parts) == 0 {
		parts = append(parts, message)
	}
	sentence := "The request is not well formed: " + strings.Join(parts, "; ") + "."
	switch status {
	case 0: // package huma asks what an error looks like, for the schema
		return NewError(ledger.CodeBadRequest, "")
	case http.StatusRequestEntityTooLarge:
		return NewError(ledger.CodeTooLarge, "The request's body is larger than this path takes.")
	case http.StatusRequestTimeout:
		return NewError(ledger.CodeTimeout, "The request's body did not arrive in time.").withStatus(status)
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return NewError(ledger.CodeBadRequest, "%s", sentence)
	case http.StatusInternalServerError:
		return NewError(ledger.CodeInternal, "")
	default:
		return NewError(ledger.CodeBadRequest, "%s", sentence).withStatus(status)
	}
}

// quotedMax bounds how much of a wrong value a message repeats.
const quotedMax = 64

// describeFault says where in the request the fault is, what it is, and what stood there.
func describeFault(fault error) string {
	var d *huma.ErrorDetail
	if !errors.As(fault, &d) {
		return fault.Error()
	}
	where := d.Location
	if source, name, ok := strings.Cut(d.Location, "."); ok {
		where = source + " " + name
	}
	text := where + ": " + d.Message
	if value, ok := d.Value.(string); ok && value != "" && d.Location != "body" {
		text += fmt.Sprintf(" (got %q)", shorten(value))
	}
	return text
}

func shorten(text string) string {
	if len(text) <= quotedMax {
		return text
	}
	return text[:quotedMax] + "..."
}
