// Package thirdparty holds what the drivers have in common: their inputs, and what they print as JSON.
package thirdparty

import (
	"crypto/rand"
	"encoding/json"
	"os"
)

// MissingID is the id of a collection that does not exist.
const MissingID = "mcoll_000000000000"

// The address of the API, the API key and the organization.
var (
	URL          = os.Getenv("URL")
	Key          = os.Getenv("API_KEY")
	Organization = os.Getenv("ORGANIZATION")
)

// NewKey returns a new idempotency key.
func NewKey() string { return rand.Text() }

// Outcome is what happened.
type Outcome struct {
	Made    string   `json:"made"`
	Again   string   `json:"again"`
	Read    *string  `json:"read"`
	Patched *string  `json:"patched"`
	Name    string   `json:"name"`
	Listed  []string `json:"listed"`
	Status  int      `json:"status"`
	Code    string   `json:"code"`
	Missing string   `json:"missing"`
}

// Print writes the outcome to standard output.
func (o Outcome) Print() {
	Check(json.NewEncoder(os.Stdout).Encode(o))
}

// Check ends the program if there is an error.
func Check(err error) {
	if err != nil {
		panic(err)
	}
}
