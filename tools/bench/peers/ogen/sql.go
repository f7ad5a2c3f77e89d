package main

import (
	"fmt"
	"strings"
)

// Only names of columns and placeholders are formatted into these statements, never a value. `?1` is the organization,
// `?2` the owner, and `?3` the collection, if it is about one.
const (
	view  = "id, name, description, cover_track_id, cover_image_url, track_count, created_at, updated_at"
	isOwn = "organization_id = ?1 AND owner_id = ?2 AND deleted_at IS NULL"
	isIt  = isOwn + " AND id = ?3"
	isIn  = "organization_id = ?1 AND owner_id = ?2 AND collection_id = ?3"

	keySQL     = "SELECT organization_id, user_id, scopes, state, expires_at FROM api_keys WHERE digest = ?1"
	getSQL     = "SELECT " + view + " FROM collections WHERE " + isIt
	pageSQL    = "SELECT " + view + " FROM collections WHERE " + isOwn + " ORDER BY created_at DESC, id DESC LIMIT ?3 OFFSET ?4"
	existsSQL  = "SELECT 1 FROM collections WHERE " + isIt
	tracksSQL  = "SELECT track_id, added_at FROM collection_tracks WHERE " + isIn + " ORDER BY rank LIMIT ?4 OFFSET ?5"
	createSQL  = "INSERT INTO collections (organization_id, owner_id, id, name, description, cover_track_id, cover_image_url, track_count, version, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 1, ?8, ?8) RETURNING " + view
	membersSQL = "SELECT track_id, rank FROM collection_tracks WHERE " + isIn + " ORDER BY rank"
	moveSQL    = "UPDATE collection_tracks SET rank = ?5 WHERE " + isIn + " AND track_id = ?4"
)

// changeSQL sets the given columns, from `?5` on; `?4` is the time.
func changeSQL(changes []change) string {
	var columns strings.Builder
	for index, one := range changes {
		fmt.Fprintf(&columns, "%s = ?%d, ", one.column, index+5)
	}
	return "UPDATE collections SET " + columns.String() + "version = version + 1, updated_at = ?4 WHERE " + isIt +
		" RETURNING " + view
}
