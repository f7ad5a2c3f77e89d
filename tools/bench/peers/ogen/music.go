package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"music.example.com/bench/api"
)

const (
	readScope  = "music:read"
	writeScope = "music:write"
	rankGap    = 1 << 20
)

var (
	errAbsent          = errors.New("the caller has no such collection")
	errUnauthenticated = errors.New("no active key")
	errForbidden       = errors.New("the key lacks the scope")
)

// key is a row of api_keys without its digest.
type key struct {
	organization, user, scopes, state string
	expired                           bool
}

// member is a track of a collection with its rank.
type member struct {
	track string
	rank  int64
}

// store has the queries of the workloads. A collection that is not the caller's is errAbsent.
type store interface {
	key(ctx context.Context, digest []byte) (key, error)
	get(ctx context.Context, at place) (*api.Collection, error)
	page(ctx context.Context, at place, limit, offset int) ([]api.Collection, error)
	tracks(ctx context.Context, at place, limit, offset int) ([]api.CollectionTrack, error)
	create(ctx context.Context, at place, body *api.CollectionCreate, now time.Time) (*api.Collection, error)
	change(ctx context.Context, at place, changes []change, now time.Time) (*api.Collection, error)
	reorder(ctx context.Context, at place, plan func([]member) []member) error
}

// place is an organization, an owner in it, and a collection, for statements about one.
type place struct{ organization, owner, collection string }

// change is a column with its new value; nil is NULL.
type change struct {
	column string
	value  any
}

// server implements the handler and the security handler of the generated package.
type server struct {
	database store
	pepper   []byte
}

type callerKey struct{}

// HandleApiKeyAuth looks up the key and puts it into the context.
func (s server) HandleApiKeyAuth(ctx context.Context, _ api.OperationName, auth api.ApiKeyAuth) (context.Context, error) {
	mac := hmac.New(sha256.New, s.pepper)
	mac.Write([]byte(auth.APIKey))
	found, err := s.database.key(ctx, mac.Sum(nil))
	if err != nil || found.state != "active" || found.expired {
		return ctx, errors.Join(errUnauthenticated, err)
	}
	return context.WithValue(ctx, callerKey{}, found), nil
}

// admit gives the place of a request, if the key has the scope and belongs to the organization.
func admit(ctx context.Context, scope string, organization api.OrganizationId, collection api.CollectionId) (place, error) {
	caller := ctx.Value(callerKey{}).(key)
	if !slices.Contains(strings.Fields(caller.scopes), scope) {
		return place{}, errForbidden
	}
	if caller.organization != string(organization) {
		return place{}, errAbsent
	}
	return place{caller.organization, caller.user, string(collection)}, nil
}

func (s server) GetCollection(ctx context.Context, params api.GetCollectionParams) (*api.Collection, error) {
	at, err := admit(ctx, readScope, params.OrganizationID, params.CollectionID)
	if err != nil {
		return nil, err
	}
	return s.database.get(ctx, at)
}

func (s server) ListCollections(ctx context.Context, params api.ListCollectionsParams) (*api.CollectionPage, error) {
	at, err := admit(ctx, readScope, params.OrganizationID, "")
	if err != nil {
		return nil, err
	}
	limit, offset := params.Limit.Or(50), params.Offset.Or(0)
	items, err := s.database.page(ctx, at, int(limit), int(offset))
	return &api.CollectionPage{Items: items, Limit: limit, Offset: offset}, err
}

func (s server) ListCollectionTracks(
	ctx context.Context, params api.ListCollectionTracksParams,
) (*api.CollectionTrackPage, error) {
	at, err := admit(ctx, readScope, params.OrganizationID, params.CollectionID)
	if err != nil {
		return nil, err
	}
	limit, offset := params.Limit.Or(200), params.Offset.Or(0)
	items, err := s.database.tracks(ctx, at, int(limit), int(offset))
	return &api.CollectionTrackPage{CollectionID: params.CollectionID, Items: items, Limit: limit, Offset: offset}, err
}

func (s server) CreateCollection(
	ctx context.Context, body *api.CollectionCreate, params api.CreateCollectionParams,
) (*api.Collection, error) {
	at, err := admit(ctx, writeScope, params.OrganizationID, newID())
	if err != nil {
		return nil, err
	}
	return s.database.create(ctx, at, body, time.Now().UTC())
}

func (s server) UpdateCollection(
	ctx context.Context, body *api.CollectionPatch, params api.UpdateCollectionParams,
) (*api.Collection, error) {
	at, err := admit(ctx, writeScope, params.OrganizationID, params.CollectionID)
	if err != nil {
		return nil, err
	}
	return s.database.change(ctx, at, changes(body), time.Now().UTC())
}

func (s server) ReorderCollection(
	ctx context.Context, body *api.CollectionOrder, params api.ReorderCollectionParams,
) (*api.Acknowledgement, error) {
	at, err := admit(ctx, writeScope, params.OrganizationID, params.CollectionID)
	if err != nil {
		return nil, err
	}
	plan := func(members []member) []member { return moves(members, body.OrderedTrackIds) }
	answer := &api.Acknowledgement{Success: true, ID: at.collection, Detail: "Collection reordered."}
	return answer, s.database.reorder(ctx, at, plan)
}

func newID() api.CollectionId {
	var random [6]byte
	rand.Read(random[:])
	return api.CollectionId("mcoll_" + hex.EncodeToString(random[:]))
}

func changes(body *api.CollectionPatch) []change {
	var found []change
	if name, ok := body.Name.Get(); ok {
		found = append(found, change{"name", string(name)})
	}
	optional := []struct {
		column string
		value  api.OptNilString
	}{
		{"description", body.Description}, {"cover_track_id", body.CoverTrackID}, {"cover_image_url", body.CoverImageURL},
	}
	for _, one := range optional {
		if one.value.IsSet() {
			found = append(found, change{one.column, nullable(one.value)})
		}
	}
	return found
}

// nullable is the text, or nil if it is absent or null.
func nullable(value api.OptNilString) any {
	if text, ok := value.Get(); ok {
		return text
	}
	return nil
}

// moves gives the new ranks that put the listed tracks first; none if they are first already.
func moves(members []member, listed []api.TrackId) []member {
	ranks := make(map[string]int64, len(members))
	for _, one := range members {
		ranks[one.track] = one.rank
	}
	var order []member
	for _, track := range listed {
		if rank, ok := ranks[string(track)]; ok {
			order = append(order, member{string(track), rank})
			delete(ranks, string(track))
		}
	}
	for _, one := range members {
		if _, ok := ranks[one.track]; ok {
			order = append(order, one)
		}
	}
	if slices.Equal(order, members) {
		return nil
	}
	low := members[0].rank
	for index := range order {
		order[index].rank = low - rankGap*int64(len(order)-index)
	}
	return order
}
