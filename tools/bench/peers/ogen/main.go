// Command server answers the workloads with the server that ogen has generated in the folder api.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime/debug"
	"strings"

	"github.com/ogen-go/ogen/ogenerrors"

	"music.example.com/bench/api"
)

// A garbage collection at five times the live memory: a small heap would be collected many times a second.
const collectAtPercent = 400

func main() {
	debug.SetGCPercent(collectAtPercent)
	database, err := open(os.Getenv("BENCH_DATABASE_URL"))
	check(err)
	music := server{database: database, pepper: []byte(os.Getenv("BENCH_PEPPER"))}
	handler, err := api.NewServer(music, music, api.WithPathPrefix("/v1"), api.WithErrorHandler(respondToError))
	check(err)
	check(http.ListenAndServe("127.0.0.1:"+os.Getenv("BENCH_PORT"), handler))
}

func open(url string) (store, error) {
	if path, ok := strings.CutPrefix(url, "sqlite:///"); ok {
		return openSQLite(path)
	}
	return openPostgres(url)
}

// respondToError writes the envelope of an error of a handler, of authentication, or of a parameter or body.
func respondToError(_ context.Context, w http.ResponseWriter, _ *http.Request, err error) {
	status, code := http.StatusUnprocessableEntity, "VALIDATION_ERROR"
	var security *ogenerrors.SecurityError
	var request *ogenerrors.DecodeRequestError
	var params *ogenerrors.DecodeParamsError
	switch {
	case errors.As(err, &security):
		status, code = http.StatusUnauthorized, "AUTHENTICATION_REQUIRED"
	case errors.Is(err, errAbsent):
		status, code = http.StatusNotFound, "RESOURCE_NOT_FOUND"
	case errors.As(err, &request), errors.As(err, &params):
	default:
		status, code = http.StatusInternalServerError, "INTERNAL_SERVER_ERROR"
		fmt.Fprintln(os.Stderr, err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"success":false,"error":{"code":%q,"status":%d}}`, code, status)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
