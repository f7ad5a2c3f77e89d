//! Drives the client of progenitor; prints what happened as JSON.

progenitor::generate_api!("openapi.client.json");

use std::env::var;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut headers = reqwest::header::HeaderMap::new();
    headers.insert("X-API-Key", var("API_KEY").unwrap().parse().unwrap());
    let http = reqwest::Client::builder().default_headers(headers).build().unwrap();
    let client = Client::new_with_client(&var("URL").unwrap(), http);
    let home = types::OrganizationId::from(var("ORGANIZATION").unwrap());

    let name = types::CollectionName::from("Focus Sessions".to_owned());
    let description = Some("For deep work".to_owned());
    let body = types::CollectionCreate { name, description, cover_track_id: None, cover_image_url: None };
    let key = format!("{:?}", std::time::SystemTime::now()).replace(' ', "");
    let made = client.create_collection(&home, Some(&key), &body).await.unwrap();
    let again = client.create_collection(&home, Some(&key), &body).await.unwrap();

    let read = client.get_collection(&home, &made.id, None).await.unwrap();
    // Its `Option` is absent or a value: it cannot send null.
    let change = types::CollectionPatch { description: Some("For sleep".to_owned()), ..Default::default() };
    let patched = client.update_collection(&home, &made.id, None, None, &change).await.unwrap();
    let page = client.list_collections(&home, None, None).await.unwrap();
    let missing = types::CollectionId::from("mcoll_000000000000".to_owned());
    let failure = client.get_collection(&home, &missing, None).await.unwrap_err();
    let Error::ErrorResponse(answer) = failure else { panic!("{failure}") };

    let listed: Vec<_> = page.items.iter().map(|item| item.id.to_string()).collect();
    let outcome = serde_json::json!({
        "made": made.id,
        "again": again.id,
        "read": read.description,
        "patched": patched.description,
        "name": patched.name,
        "listed": listed,
        "status": answer.status().as_u16(),
        "code": answer.error.code,
        "missing": answer.error.details.collection_id,
    });
    println!("{outcome}");
}
