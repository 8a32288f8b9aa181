//! Capabilities: an actor over HTTP with a key-value store, replaced and rebound while it serves.

use integration::story::Story;

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_is_replaced_under_load_and_its_store_taken_away_and_given_back() {
    let mut story = Story::start(|_| {}).await.unwrap();
    let facts = story.tell().await.unwrap();
    assert!(facts.without_store.contains("no_link"), "{}", facts.without_store);
    story.stop().await.unwrap();
}
