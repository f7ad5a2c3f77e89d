package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"music.example.com/bench/api"
)

const poolSize = 10

// postgres is a pool whose connections prepare each statement at its first use, as pgx does by itself.
type postgres struct{ pool *pgxpool.Pool }

type querier interface {
	QueryRow(ctx context.Context, sql string, binds ...any) pgx.Row
	Query(ctx context.Context, sql string, binds ...any) (pgx.Rows, error)
}

// In PostgreSQL a placeholder begins with `$`.
var (
	pgKey, pgGet, pgPage, pgTracks = dollar(keySQL), dollar(getSQL), dollar(pageSQL), dollar(tracksSQL)
	pgCreate, pgExists             = dollar(createSQL), dollar(existsSQL)
	pgMembers, pgMove              = dollar(membersSQL), dollar(moveSQL)
	pgLock                         = dollar(existsSQL) + " FOR UPDATE"
)

func dollar(text string) string { return strings.ReplaceAll(text, "?", "$") }

func openPostgres(url string) (store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MinConns, config.MaxConns = poolSize, poolSize
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	return &postgres{pool}, err
}

func (p *postgres) key(ctx context.Context, digest []byte) (key, error) {
	var found key
	var expires *time.Time
	row := p.pool.QueryRow(ctx, pgKey, digest)
	err := row.Scan(&found.organization, &found.user, &found.scopes, &found.state, &expires)
	found.expired = expires != nil && !expires.After(time.Now())
	return found, err
}

func (p *postgres) get(ctx context.Context, at place) (*api.Collection, error) {
	return one(p.pool.QueryRow(ctx, pgGet, at.organization, at.owner, at.collection))
}

func (p *postgres) page(ctx context.Context, at place, limit, offset int) ([]api.Collection, error) {
	found := make([]api.Collection, 0, limit)
	rows, err := p.pool.Query(ctx, pgPage, at.organization, at.owner, limit, offset)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		item, err := one(rows)
		if err != nil {
			return nil, err
		}
		item.TrackCount.SetToNull()
		found = append(found, *item)
	}
	return found, rows.Err()
}

func (p *postgres) tracks(ctx context.Context, at place, limit, offset int) ([]api.CollectionTrack, error) {
	connection, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer connection.Release()
	if err := require(ctx, connection, pgExists, at); err != nil {
		return nil, err
	}
	rows, err := connection.Query(ctx, pgTracks, at.organization, at.owner, at.collection, limit, offset)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := make([]api.CollectionTrack, 0, limit)
	for rows.Next() {
		item := api.CollectionTrack{Position: int32(offset + len(found))}
		var added time.Time
		if err := rows.Scan((*string)(&item.TrackID), &added); err != nil {
			return nil, err
		}
		item.AddedAt = second(added)
		found = append(found, item)
	}
	return found, rows.Err()
}

func (p *postgres) create(
	ctx context.Context, at place, body *api.CollectionCreate, now time.Time,
) (*api.Collection, error) {
	return one(p.pool.QueryRow(ctx, pgCreate, at.organization, at.owner, at.collection, string(body.Name),
		nullable(body.Description), nullable(body.CoverTrackID), nullable(body.CoverImageURL), now))
}

func (p *postgres) change(ctx context.Context, at place, changes []change, now time.Time) (*api.Collection, error) {
	binds := []any{at.organization, at.owner, at.collection, now}
	for _, one := range changes {
		binds = append(binds, one.value)
	}
	return one(p.pool.QueryRow(ctx, dollar(changeSQL(changes)), binds...))
}

func (p *postgres) reorder(ctx context.Context, at place, plan func([]member) []member) error {
	return pgx.BeginFunc(ctx, p.pool, func(transaction pgx.Tx) error {
		if err := require(ctx, transaction, pgLock, at); err != nil {
			return err
		}
		rows, err := transaction.Query(ctx, pgMembers, at.organization, at.owner, at.collection)
		if err != nil {
			return err
		}
		members, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (found member, err error) {
			return found, row.Scan(&found.track, &found.rank)
		})
		if err != nil {
			return err
		}
		for _, move := range plan(members) {
			binds := []any{at.organization, at.owner, at.collection, move.track, move.rank}
			if _, err := transaction.Exec(ctx, pgMove, binds...); err != nil {
				return err
			}
		}
		return nil
	})
}

func require(ctx context.Context, on querier, text string, at place) error {
	var exists int
	return absent(on.QueryRow(ctx, text, at.organization, at.owner, at.collection).Scan(&exists))
}

func one(row pgx.Row) (*api.Collection, error) {
	var found api.Collection
	var description, track, image *string
	var count *int32
	var created, updated time.Time
	err := row.Scan((*string)(&found.ID), (*string)(&found.Name), &description, &track, &image, &count, &created, &updated)
	found.Description, found.CoverTrackID, found.CoverImageURL = pointer(description), pointer(track), pointer(image)
	if count != nil {
		found.TrackCount.SetTo(*count)
	} else {
		found.TrackCount.SetToNull()
	}
	found.CreatedAt, found.UpdatedAt = second(created), second(updated)
	return &found, absent(err)
}

func pointer(value *string) (found api.NilString) {
	if value != nil {
		found.SetTo(*value)
	} else {
		found.SetToNull()
	}
	return found
}

// second is a time in UTC without its fraction.
func second(value time.Time) api.Timestamp { return api.Timestamp(value.UTC().Truncate(time.Second)) }

// absent is errAbsent in place of the driver's error for no row.
func absent(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return errAbsent
	}
	return err
}
