//! Writes the page of figures from a run of the bench.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use integration::bench::document;
use integration::bench::findings::{FORMAT, Run};

/// What `mesh-lab performance` is told.
#[derive(Args)]
pub struct Options {
    /// What `mesh-lab bench --json` wrote
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// Folder that performance.md and the folder of its plots are written to
    #[arg(long, value_name = "DIR", default_value = "docs")]
    docs: PathBuf,
}

/// Reads the figures and writes the page.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let named = || options.from.display().to_string();
    let bytes = std::fs::read(&options.from).with_context(named)?;
    let run: Run = serde_json::from_slice(&bytes).with_context(named)?;
    anyhow::ensure!(
        run.format == FORMAT,
        "{} has format {}, and this program reads {FORMAT}: run the bench again",
        named(),
        run.format
    );
    write(&run, &options.docs)
}

/// Writes the page of a run and its plots into `docs`.
pub fn write(run: &Run, docs: &Path) -> anyhow::Result<()> {
    let plots = docs.join(document::PLOTS);
    std::fs::create_dir_all(&plots).with_context(|| plots.display().to_string())?;
    for file in document::write(run) {
        let path = docs.join(file.path);
        std::fs::write(&path, file.text).with_context(|| path.display().to_string())?;
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}
