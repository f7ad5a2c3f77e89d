// Command oapi drives the client of oapi-codegen.
package main

import (
	"context"
	"net/http"

	"github.com/oapi-codegen/nullable"

	thirdparty "music.example.com/thirdparty"
	"music.example.com/thirdparty/generated/oapi"
)

func withKey(_ context.Context, request *http.Request) error {
	request.Header.Set("X-API-Key", thirdparty.Key)
	return nil
}

func text(value nullable.Nullable[string]) *string {
	if value.IsNull() || !value.IsSpecified() {
		return nil
	}
	got := value.MustGet()
	return &got
}

func main() {
	ctx, home, check := context.Background(), thirdparty.Organization, thirdparty.Check
	client, err := oapi.NewClientWithResponses(thirdparty.URL, oapi.WithRequestEditorFn(withKey))
	check(err)

	key := thirdparty.NewKey()
	params := &oapi.CreateCollectionParams{IdempotencyKey: &key}
	body := oapi.CollectionCreate{Name: "Focus Sessions", Description: nullable.NewNullableWithValue("For deep work")}
	made, err := client.CreateCollectionWithResponse(ctx, home, params, body)
	check(err)
	again, err := client.CreateCollectionWithResponse(ctx, home, params, body)
	check(err)

	id := made.JSON201.Id
	read, err := client.GetCollectionWithResponse(ctx, home, id, nil)
	check(err)
	change := oapi.CollectionPatch{Description: nullable.NewNullNullable[string]()}
	patched, err := client.UpdateCollectionWithResponse(ctx, home, id, nil, change)
	check(err)
	page, err := client.ListCollectionsWithResponse(ctx, home, nil)
	check(err)
	missed, err := client.GetCollectionWithResponse(ctx, home, thirdparty.MissingID, nil)
	check(err)

	outcome := thirdparty.Outcome{
		Made: id, Again: again.JSON201.Id, Read: text(read.JSON200.Description),
		Patched: text(patched.JSON200.Description), Name: patched.JSON200.Name,
		Status: missed.StatusCode(), Code: missed.JSONDefault.Error.Code,
		Missing: *missed.JSONDefault.Error.Details.CollectionId,
	}
	for _, item := range page.JSON200.Items {
		outcome.Listed = append(outcome.Listed, item.Id)
	}
	outcome.Print()
}
