// Does with the Go client what each line on standard input asks for, and says on a line what came of it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"time"

	studio "music.example.com/musicstudio"
)

type step struct {
	URL            string         `json:"url"`
	APIKey         string         `json:"api_key"`
	Organization   string         `json:"organization"`
	Timeout        int            `json:"timeout"`
	Retries        int            `json:"retries"`
	Do             string         `json:"do"`
	Collection     string         `json:"collection"`
	Track          string         `json:"track"`
	Tracks         []string       `json:"tracks"`
	Limit          int32          `json:"limit"`
	Body           map[string]any `json:"body"`
	IdempotencyKey string         `json:"idempotency_key"`
	IfMatch        string         `json:"if_match"`
}

func seen(made *studio.Collection) map[string]any {
	if made == nil {
		return nil
	}
	return map[string]any{
		"id": made.GetId(), "name": made.GetName(), "description": made.Description.Get(),
		"cover_track_id": made.CoverTrackId.Get(), "track_count": made.TrackCount.Get(),
	}
}

func allSeen(items []studio.Collection) []any {
	all := []any{}
	for _, item := range items {
		all = append(all, seen(&item))
	}
	return all
}

func create(ctx context.Context, api *studio.CollectionsAPIService, s step) (any, *http.Response, error) {
	body := studio.NewCollectionCreate(s.Body["name"].(string))
	if text, given := s.Body["description"].(string); given {
		body.SetDescription(text)
	}
	request := api.CreateCollection(ctx, s.Organization).CollectionCreate(*body)
	if s.IdempotencyKey != "" {
		request = request.IdempotencyKey(s.IdempotencyKey)
	}
	made, response, err := request.Execute()
	return seen(made), response, err
}

func update(ctx context.Context, api *studio.CollectionsAPIService, s step) (any, *http.Response, error) {
	body := studio.NewCollectionPatch()
	if name, given := s.Body["name"].(string); given {
		body.SetName(name)
	}
	if text, given := s.Body["description"]; given && text == nil {
		body.SetDescriptionNil()
	} else if given {
		body.SetDescription(text.(string))
	}
	request := api.UpdateCollection(ctx, s.Organization, s.Collection).CollectionPatch(*body)
	if s.IfMatch != "" {
		request = request.IfMatch(s.IfMatch)
	}
	made, response, err := request.Execute()
	return seen(made), response, err
}

func every(ctx context.Context, api *studio.CollectionsAPIService, s step) (any, *http.Response, error) {
	all := []studio.Collection{}
	for item, err := range studio.Every(s.Limit, func(limit, offset int32) ([]studio.Collection, error) {
		page, _, err := api.ListCollections(ctx, s.Organization).Limit(limit).Offset(offset).Execute()
		return page.GetItems(), err
	}) {
		if err != nil {
			return nil, nil, err
		}
		all = append(all, item)
	}
	return allSeen(all), nil, nil
}

func tracks(ctx context.Context, api *studio.CollectionsAPIService, s step) (any, *http.Response, error) {
	page, response, err := api.ListCollectionTracks(ctx, s.Organization, s.Collection).Execute()
	ids := []string{}
	for _, item := range page.GetItems() {
		ids = append(ids, item.TrackId)
	}
	return ids, response, err
}

func do(ctx context.Context, api *studio.CollectionsAPIService, s step) (any, *http.Response, error) {
	switch s.Do {
	case "create":
		return create(ctx, api, s)
	case "get":
		made, response, err := api.GetCollection(ctx, s.Organization, s.Collection).Execute()
		return seen(made), response, err
	case "update":
		return update(ctx, api, s)
	case "delete":
		done, response, err := api.DeleteCollection(ctx, s.Organization, s.Collection).Execute()
		return done.GetId(), response, err
	case "list":
		page, response, err := api.ListCollections(ctx, s.Organization).Limit(s.Limit).Execute()
		return allSeen(page.GetItems()), response, err
	case "every":
		return every(ctx, api, s)
	case "tracks":
		return tracks(ctx, api, s)
	case "add":
		body := *studio.NewCollectionTrackCreate(s.Track)
		done, response, err := api.AddCollectionTrack(ctx, s.Organization, s.Collection).CollectionTrackCreate(body).Execute()
		return done.GetId(), response, err
	case "remove":
		done, response, err := api.RemoveCollectionTrack(ctx, s.Organization, s.Collection, s.Track).Execute()
		return done.GetId(), response, err
	case "reorder":
		body := *studio.NewCollectionOrder(s.Tracks)
		done, response, err := api.ReorderCollection(ctx, s.Organization, s.Collection).CollectionOrder(body).Execute()
		return done.GetId(), response, err
	}
	panic("nobody knows how to " + s.Do)
}

func outcome(s step) map[string]any {
	client := studio.New(s.URL, studio.WithAPIKey(s.APIKey), studio.WithRetries(s.Retries),
		studio.WithTimeout(time.Duration(s.Timeout)*time.Second))
	value, response, err := do(context.Background(), client.CollectionsAPI, s)
	if err == nil {
		return map[string]any{"value": value}
	}
	if response == nil || response.StatusCode < 400 {
		return map[string]any{"failure": err.Error()}
	}
	told := map[string]any{"status": response.StatusCode, "code": nil}
	if failure := studio.Failure(err); failure != nil {
		violations := []any{}
		for _, one := range failure.Details.Errors {
			violations = append(violations, map[string]any{"pointer": one.Pointer, "code": one.Code})
		}
		told["code"], told["type"], told["violations"] = failure.Code, failure.Type, violations
	}
	return map[string]any{"error": told}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked step
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		if err := answers.Encode(outcome(asked)); err != nil {
			panic(err)
		}
	}
}
