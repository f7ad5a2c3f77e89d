//! Does with the Rust client what each line on standard input asks for, and says on a line what came of it.

use music_studio_client::apis::collections_api as api;
use music_studio_client::apis::configuration::Configuration;
use music_studio_client::apis::Error;
use music_studio_client::models::{Collection, CollectionOrder, CollectionPatch, CollectionCreate, CollectionTrackCreate};
use music_studio_client::studio::{every, failure, MusicStudio};
use serde_json::{json, Value};
use std::io::BufRead;
use std::time::Duration;

type Outcome = Result<Value, Value>;

fn seen(made: Collection) -> Value {
    json!({
        "id": made.id, "name": made.name, "description": made.description,
        "cover_track_id": made.cover_track_id, "track_count": made.track_count,
    })
}

fn told<T>(error: Error<T>) -> Value {
    let Error::ResponseError(response) = &error else {
        return json!({ "failure": error.to_string() });
    };
    if !response.status.is_client_error() && !response.status.is_server_error() {
        return json!({ "failure": error.to_string() });
    }
    let status = response.status.as_u16();
    let Some(body) = failure(&error) else {
        return json!({ "error": { "status": status, "code": null } });
    };
    let violations = body.details.errors.unwrap_or_default();
    let violations: Vec<_> = violations.iter().map(|one| json!({ "pointer": one.pointer, "code": one.code })).collect();
    json!({ "error": { "status": status, "code": body.code, "type": body.r#type, "violations": violations } })
}

fn text(node: &Value, name: &str) -> String {
    node[name].as_str().unwrap_or_default().to_owned()
}

/// Absent, null or a text.
fn maybe(node: &Value, name: &str) -> Option<Option<String>> {
    node.get(name).map(|value| value.as_str().map(str::to_owned))
}

async fn all(studio: &Configuration, home: &str, limit: i32) -> Outcome {
    let mut items = every(limit, |limit, offset| async move {
        api::list_collections(studio, home, Some(limit), Some(offset)).await.map(|page| page.items)
    });
    let mut found = vec![];
    while let Some(item) = items.next().await.map_err(told)? {
        found.push(seen(item));
    }
    Ok(json!(found))
}

async fn act(studio: &Configuration, step: &Value) -> Outcome {
    let (home, id, track) = (&text(step, "organization"), &text(step, "collection"), &text(step, "track"));
    let limit = step["limit"].as_i64().map(|limit| limit as i32);
    let body = &step["body"];
    match step["do"].as_str().unwrap_or_default() {
        "create" => {
            let new = CollectionCreate { description: maybe(body, "description"), ..CollectionCreate::new(text(body, "name")) };
            api::create_collection(studio, home, new, step["idempotency_key"].as_str()).await.map(seen).map_err(told)
        }
        "get" => api::get_collection(studio, home, id, None).await.map(seen).map_err(told),
        "update" => {
            let name = maybe(body, "name").flatten();
            let patch = CollectionPatch { name, description: maybe(body, "description"), ..CollectionPatch::new() };
            api::update_collection(studio, home, id, patch, step["if_match"].as_str(), None).await.map(seen).map_err(told)
        }
        "delete" => api::delete_collection(studio, home, id, None, None).await.map(|done| json!(done.id)).map_err(told),
        "list" => {
            let page = api::list_collections(studio, home, limit, None).await.map_err(told)?;
            Ok(page.items.into_iter().map(seen).collect())
        }
        "every" => all(studio, home, limit.unwrap_or_default()).await,
        "tracks" => {
            let page = api::list_collection_tracks(studio, home, id, None, None, None).await.map_err(told)?;
            Ok(page.items.into_iter().map(|item| json!(item.track_id)).collect())
        }
        "add" => {
            let new = CollectionTrackCreate::new(track.clone());
            api::add_collection_track(studio, home, id, new, None, None).await.map(|done| json!(done.id)).map_err(told)
        }
        "remove" => {
            api::remove_collection_track(studio, home, id, track, None, None).await.map(|done| json!(done.id)).map_err(told)
        }
        "reorder" => {
            let tracks = step["tracks"].as_array().into_iter().flatten();
            let order = CollectionOrder::new(tracks.map(|id| id.as_str().unwrap_or_default().to_owned()).collect());
            api::reorder_collection(studio, home, id, order, None, None).await.map(|done| json!(done.id)).map_err(told)
        }
        other => panic!("nobody knows how to {other}"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for line in std::io::stdin().lock().lines() {
        let step: Value = serde_json::from_str(&line.expect("a line")).expect("a step");
        let studio = MusicStudio::new(&text(&step, "url"))
            .api_key(&text(&step, "api_key"))
            .timeout(Duration::from_secs(step["timeout"].as_u64().expect("seconds")))
            .retries(step["retries"].as_u64().expect("a number") as u32)
            .configuration()
            .expect("a configuration");
        match act(&studio, &step).await {
            Ok(value) => println!("{}", json!({ "value": value })),
            Err(told) => println!("{told}"),
        }
    }
}
