package main

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"

	"music.example.com/bench/api"
)

const timeFormat = "2006-01-02T15:04:05.000000Z"

// sqlite is one connection with prepared statements. It calls the driver without the pool of database/sql, which costs
// more than a statement of a few microseconds.
type sqlite struct {
	lock       sync.Mutex
	connection driver.Conn
	prepared   map[string]driver.Stmt
}

func openSQLite(path string) (store, error) {
	source := "file:" + path + "?_busy_timeout=5000&_journal_mode=WAL&_synchronous=FULL&_foreign_keys=ON&_mutex=no"
	connection, err := (&sqlite3.SQLiteDriver{}).Open(source)
	return &sqlite{connection: connection, prepared: map[string]driver.Stmt{}}, err
}

// each runs a statement and calls read for every row.
func (s *sqlite) each(text string, read func([]driver.Value), binds ...driver.Value) error {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.run(text, read, binds...)
}

func (s *sqlite) run(text string, read func([]driver.Value), binds ...driver.Value) error {
	statement, ok := s.prepared[text]
	if !ok {
		var err error
		if statement, err = s.connection.Prepare(text); err != nil {
			return err
		}
		s.prepared[text] = statement
	}
	rows, err := statement.Query(binds) // without a context, whose end a goroutine would await
	if err != nil {
		return err
	}
	defer rows.Close()
	values := make([]driver.Value, len(rows.Columns()))
	for err = rows.Next(values); err == nil; err = rows.Next(values) {
		read(values)
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (s *sqlite) key(_ context.Context, digest []byte) (key, error) {
	var found key
	err := s.each(keySQL, func(row []driver.Value) {
		expires, ok := row[4].(string)
		found = key{
			organization: row[0].(string), user: row[1].(string), scopes: row[2].(string), state: row[3].(string),
			expired: ok && expires <= time.Now().UTC().Format(timeFormat),
		}
	}, digest)
	return found, err
}

func (s *sqlite) get(_ context.Context, at place) (*api.Collection, error) {
	return s.one(getSQL, at.organization, at.owner, at.collection)
}

func (s *sqlite) page(_ context.Context, at place, limit, offset int) ([]api.Collection, error) {
	found := make([]api.Collection, 0, limit)
	err := s.each(pageSQL, func(row []driver.Value) {
		item := collection(row)
		item.TrackCount.SetToNull()
		found = append(found, item)
	}, at.organization, at.owner, int64(limit), int64(offset))
	return found, err
}

func (s *sqlite) tracks(_ context.Context, at place, limit, offset int) ([]api.CollectionTrack, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if err := s.require(at); err != nil {
		return nil, err
	}
	found := make([]api.CollectionTrack, 0, limit)
	err := s.run(tracksSQL, func(row []driver.Value) {
		found = append(found, api.CollectionTrack{
			TrackID: api.TrackId(row[0].(string)), Position: int32(offset + len(found)), AddedAt: moment(row[1]),
		})
	}, at.organization, at.owner, at.collection, int64(limit), int64(offset))
	return found, err
}

func (s *sqlite) create(
	_ context.Context, at place, body *api.CollectionCreate, now time.Time,
) (*api.Collection, error) {
	return s.one(createSQL, at.organization, at.owner, at.collection, string(body.Name), nullable(body.Description),
		nullable(body.CoverTrackID), nullable(body.CoverImageURL), now.Format(timeFormat))
}

func (s *sqlite) change(_ context.Context, at place, changes []change, now time.Time) (*api.Collection, error) {
	binds := []driver.Value{at.organization, at.owner, at.collection, now.Format(timeFormat)}
	for _, one := range changes {
		binds = append(binds, one.value)
	}
	return s.one(changeSQL(changes), binds...)
}

func (s *sqlite) reorder(_ context.Context, at place, plan func([]member) []member) (err error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if err := s.run("BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.run("COMMIT", nil)) }()
	if err := s.require(at); err != nil {
		return err
	}
	var members []member
	if err := s.run(membersSQL, func(row []driver.Value) {
		members = append(members, member{row[0].(string), row[1].(int64)})
	}, at.organization, at.owner, at.collection); err != nil {
		return err
	}
	for _, move := range plan(members) {
		if err := s.run(moveSQL, nil, at.organization, at.owner, at.collection, move.track, move.rank); err != nil {
			return err
		}
	}
	return nil
}

func (s *sqlite) one(text string, binds ...driver.Value) (*api.Collection, error) {
	var found *api.Collection
	err := s.each(text, func(row []driver.Value) {
		item := collection(row)
		found = &item
	}, binds...)
	if err == nil && found == nil {
		err = errAbsent
	}
	return found, err
}

func (s *sqlite) require(at place) error {
	exists := false
	err := s.run(existsSQL, func([]driver.Value) { exists = true }, at.organization, at.owner, at.collection)
	if err == nil && !exists {
		err = errAbsent
	}
	return err
}

func collection(row []driver.Value) api.Collection {
	found := api.Collection{
		ID: api.CollectionId(row[0].(string)), Name: api.CollectionName(row[1].(string)),
		Description: text(row[2]), CoverTrackID: text(row[3]), CoverImageURL: text(row[4]),
		CreatedAt: moment(row[6]), UpdatedAt: moment(row[7]),
	}
	if count, ok := row[5].(int64); ok {
		found.TrackCount.SetTo(int32(count))
	} else {
		found.TrackCount.SetToNull()
	}
	return found
}

func text(value driver.Value) (found api.NilString) {
	if got, ok := value.(string); ok {
		found.SetTo(got)
	} else {
		found.SetToNull()
	}
	return found
}

// moment parses a stored time, to the second.
func moment(value driver.Value) api.Timestamp {
	stored := value.(string)
	number := func(from, to int) (found int) {
		for _, digit := range []byte(stored[from:to]) {
			found = found*10 + int(digit-'0')
		}
		return found
	}
	return api.Timestamp(time.Date(
		number(0, 4), time.Month(number(5, 7)), number(8, 10), number(11, 13), number(14, 16), number(17, 19), 0, time.UTC))
}
