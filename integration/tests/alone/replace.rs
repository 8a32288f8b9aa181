//! Revisions swapped under a running load: no call fails, none goes back to an older revision.

use integration::swaps::{self, SwapOptions};

/// `cargo xtask swaps` does the same with a thousand.
const REVISIONS: u64 = 40;

async fn swap_on(nodes: usize) {
    let options = SwapOptions { revisions: REVISIONS, nodes, concurrency: 8 };
    let report = swaps::run(options).await.unwrap();
    assert!(report.is_clean(), "{}", report.table());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_swaps_under_load() {
    swap_on(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_swap_under_load() {
    swap_on(2).await;
}
