// Command stock drives the client of openapi-generator's `go`.
package main

import (
	"context"
	"errors"

	thirdparty "music.example.com/thirdparty"
	"music.example.com/thirdparty/generated/stock"
)

func main() {
	ctx, home, check := context.Background(), thirdparty.Organization, thirdparty.Check
	settings := stock.NewConfiguration()
	settings.Servers = stock.ServerConfigurations{{URL: thirdparty.URL}}
	settings.DefaultHeader["X-API-Key"] = thirdparty.Key
	api := stock.NewAPIClient(settings).CollectionsAPI

	key := thirdparty.NewKey()
	body := stock.NewCollectionCreate("Focus Sessions")
	body.SetDescription("For deep work")
	made, _, err := api.CreateCollection(ctx, home).IdempotencyKey(key).CollectionCreate(*body).Execute()
	check(err)
	again, _, err := api.CreateCollection(ctx, home).IdempotencyKey(key).CollectionCreate(*body).Execute()
	check(err)

	read, _, err := api.GetCollection(ctx, home, made.Id).Execute()
	check(err)
	change := stock.NewCollectionPatch()
	change.SetDescriptionNil()
	patched, _, err := api.UpdateCollection(ctx, home, made.Id).CollectionPatch(*change).Execute()
	check(err)
	page, _, err := api.ListCollections(ctx, home).Execute()
	check(err)
	_, missed, err := api.GetCollection(ctx, home, thirdparty.MissingID).Execute()
	var failure *stock.GenericOpenAPIError
	if !errors.As(err, &failure) {
		panic(err)
	}

	envelope := failure.Model().(stock.ErrorEnvelope)
	outcome := thirdparty.Outcome{
		Made: made.Id, Again: again.Id, Read: read.Description.Get(), Patched: patched.Description.Get(),
		Name: patched.Name, Status: missed.StatusCode, Code: envelope.Error.Code,
		Missing: *envelope.Error.Details.CollectionId,
	}
	for _, item := range page.Items {
		outcome.Listed = append(outcome.Listed, item.Id)
	}
	outcome.Print()
}
