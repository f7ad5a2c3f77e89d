// Command ogen-driver drives the client of ogen.
package main

import (
	"context"
	"errors"

	"github.com/ogen-go/ogen/ogenerrors"

	thirdparty "music.example.com/thirdparty"
	"music.example.com/thirdparty/generated/ogenclient"
)

type credentials struct{}

func (credentials) ApiKeyAuth(context.Context, ogenclient.OperationName) (ogenclient.ApiKeyAuth, error) {
	return ogenclient.ApiKeyAuth{APIKey: thirdparty.Key}, nil
}

func (credentials) BearerAuth(context.Context, ogenclient.OperationName) (ogenclient.BearerAuth, error) {
	return ogenclient.BearerAuth{}, ogenerrors.ErrSkipClientSecurity
}

func text(value ogenclient.NilString) *string {
	if got, ok := value.Get(); ok {
		return &got
	}
	return nil
}

func main() {
	ctx, check := context.Background(), thirdparty.Check
	client, err := ogenclient.NewClient(thirdparty.URL, credentials{})
	check(err)

	home := ogenclient.OrganizationId(thirdparty.Organization)
	params := ogenclient.CreateCollectionParams{
		OrganizationID: home, IdempotencyKey: ogenclient.NewOptString(thirdparty.NewKey()),
	}
	body := &ogenclient.CollectionCreate{Name: "Focus Sessions", Description: ogenclient.NewOptNilString("For deep work")}
	made, err := client.CreateCollection(ctx, body, params)
	check(err)
	again, err := client.CreateCollection(ctx, body, params)
	check(err)

	id := made.Response.ID
	read, err := client.GetCollection(ctx, ogenclient.GetCollectionParams{OrganizationID: home, CollectionID: id})
	check(err)
	change := &ogenclient.CollectionPatch{}
	change.Description.SetToNull()
	patched, err := client.UpdateCollection(
		ctx, change, ogenclient.UpdateCollectionParams{OrganizationID: home, CollectionID: id})
	check(err)
	page, err := client.ListCollections(ctx, ogenclient.ListCollectionsParams{OrganizationID: home})
	check(err)
	_, err = client.GetCollection(
		ctx, ogenclient.GetCollectionParams{OrganizationID: home, CollectionID: thirdparty.MissingID})
	var failure *ogenclient.ErrorStatusCode
	if !errors.As(err, &failure) {
		panic(err)
	}

	found := read.(*ogenclient.GetCollectionOKHeaders).Response
	outcome := thirdparty.Outcome{
		Made: string(id), Again: string(again.Response.ID), Read: text(found.Description),
		Patched: text(patched.Response.Description), Name: string(patched.Response.Name),
		Status: failure.StatusCode, Code: failure.Response.Error.Code,
		Missing: failure.Response.Error.Details.CollectionID.Value,
	}
	for _, item := range page.Response.Items {
		outcome.Listed = append(outcome.Listed, string(item.ID))
	}
	outcome.Print()
}
