# frozen_string_literal: true

# Does with the Ruby client what each line on standard input asks for, and says on a line what came of it.

require 'music_studio_client/studio'

Studio = MusicStudioClient::Studio

def seen(made)
  { id: made.id, name: made.name, description: made.description, cover_track_id: made.cover_track_id,
    track_count: made.track_count }
end

def act(api, step)
  home, collection = step.values_at(:organization, :collection)
  case step[:do]
  when 'create'
    key = step.key?(:idempotency_key) ? { idempotency_key: step[:idempotency_key] } : {}
    seen(api.create_collection(home, MusicStudioClient::CollectionCreate.new(step[:body]), key))
  when 'get' then seen(api.get_collection(home, collection))
  when 'update'
    match = step.key?(:if_match) ? { if_match: step[:if_match] } : {}
    seen(api.update_collection(home, collection, MusicStudioClient::CollectionPatch.new(step[:body]), match))
  when 'delete' then api.delete_collection(home, collection).id
  when 'list' then api.list_collections(home, limit: step[:limit]).items.map { |one| seen(one) }
  when 'every'
    pages = Studio.every(step[:limit]) { |limit, offset| api.list_collections(home, limit: limit, offset: offset).items }
    pages.map { |one| seen(one) }
  when 'tracks' then api.list_collection_tracks(home, collection).items.map(&:track_id)
  when 'add'
    api.add_collection_track(home, collection, MusicStudioClient::CollectionTrackCreate.new(track_id: step[:track])).id
  when 'remove' then api.remove_collection_track(home, collection, step[:track]).id
  when 'reorder'
    order = MusicStudioClient::CollectionOrder.new(ordered_track_ids: step[:tracks])
    api.reorder_collection(home, collection, order).id
  else raise NotImplementedError, step[:do]
  end
end

def outcome(step)
  client = Studio.new(step[:url], api_key: step[:api_key], timeout: step[:timeout], retries: step[:retries])
  { value: act(MusicStudioClient::CollectionsApi.new(client), step) }
rescue MusicStudioClient::ApiError => e
  return { failure: e.message } unless e.code.to_i >= 400

  error = Studio.failure(e)
  violations = (error&.details&.errors || []).map { |one| { pointer: one.pointer, code: one.code } }
  { error: { status: e.code, code: error&.code, type: error&.type, violations: violations } }
rescue StandardError => e
  { failure: "#{e.class}: #{e.message}" }
end

$stdin.each_line do |line|
  puts JSON.generate(outcome(JSON.parse(line, symbolize_names: true)))
  $stdout.flush
end
