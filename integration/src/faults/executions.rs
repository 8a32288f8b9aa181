//! What ran, as the actor itself wrote it down in Redis, which no fault of NATS touches.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ledger::Execution;
use super::limits;

/// Bytes of one line of the ledger, at most: two numbers.
const LINE_BYTES_MAX: usize = 64;

/// The number of a mark; no call has it.
const MARK: u64 = u64::MAX;

/// The prefix that the ledger's link names.
pub const PREFIX: &str = "faults";
/// The list, as the provider names it in Redis.
const LIST: &str = "mesh:faults:ran";

/// A connection to the Redis that the ledger is in.
pub struct Executions(BufReader<TcpStream>);

impl Executions {
    /// Connects to the Redis at `url`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let address = url.strip_prefix("redis://").unwrap_or(url);
        Ok(Self(BufReader::new(TcpStream::connect(address).await?)))
    }

    /// Writes a mark: what runs from now on is known to have run after it.
    ///
    /// # Errors
    /// When Redis does not answer in time.
    pub async fn mark(&mut self) -> anyhow::Result<()> {
        let command = format!("RPUSH {LIST} \"{MARK} 0\"\r\n");
        let bound = Duration::from_millis(limits::REDIS_TIMEOUT_MS);
        let push = async {
            self.0.get_mut().write_all(command.as_bytes()).await?;
            self.number(':').await
        };
        timeout(bound, push).await.context("Redis is silent")??;
        Ok(())
    }

    /// Reads everything that ran so far, in the order in which it was written down.
    ///
    /// # Errors
    /// When Redis does not answer in time, or holds something else.
    pub async fn read(&mut self) -> anyhow::Result<Vec<Execution>> {
        let mut found = Vec::new();
        loop {
            let from = found.len();
            let to = from + limits::PAGE_LINES - 1;
            let bound = Duration::from_millis(limits::REDIS_TIMEOUT_MS);
            let page = timeout(bound, self.page(from, to)).await.context("Redis is silent")??;
            let last = page.len() < limits::PAGE_LINES;
            found.extend(page);
            if last {
                return Ok(placed(found));
            }
        }
    }

    async fn page(&mut self, from: usize, to: usize) -> anyhow::Result<Vec<Execution>> {
        let command = format!("LRANGE {LIST} {from} {to}\r\n");
        self.0.get_mut().write_all(command.as_bytes()).await?;
        let count = self.number('*').await?;
        let mut lines = Vec::with_capacity(count.min(limits::PAGE_LINES));
        for _ in 0..count {
            let length = self.number('$').await?;
            ensure!(length <= LINE_BYTES_MAX, "a line of {length} bytes in the ledger");
            let mut bytes = vec![0; length + 2];
            self.0.read_exact(&mut bytes).await?;
            lines.push(parse(&String::from_utf8_lossy(&bytes))?);
        }
        Ok(lines)
    }

    /// Reads a header of Redis's protocol: a sign, a number, the end of the line.
    async fn number(&mut self, sign: char) -> anyhow::Result<usize> {
        let mut line = String::new();
        (&mut self.0).take(LINE_BYTES_MAX as u64).read_line(&mut line).await?;
        match line.trim_end().strip_prefix(sign) {
            Some(number) => Ok(number.parse()?),
            None => bail!("Redis says {line:?}"),
        }
    }
}

/// Says of each run how many marks were before it, and takes the marks away.
fn placed(lines: Vec<Execution>) -> Vec<Execution> {
    let mut marks = 0;
    let mut runs = Vec::with_capacity(lines.len());
    for line in lines {
        match line.number {
            MARK => marks += 1,
            _ => runs.push(Execution { marks, ..line }),
        }
    }
    runs
}

/// Reads `NUMBER CODE`.
fn parse(line: &str) -> anyhow::Result<Execution> {
    let numbers = line.trim_end().split_once(' ').and_then(|(number, code)| {
        Some(Execution { number: number.parse().ok()?, code: code.parse().ok()?, marks: 0 })
    });
    numbers.with_context(|| format!("{line:?} is no line of the ledger"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_tell_what_ran_before_and_after() {
        let line = |number| Execution { number, code: 1, marks: 0 };
        let runs = placed(vec![line(4), line(MARK), line(7), line(4), line(MARK), line(9)]);
        let places: Vec<_> = runs.iter().map(|run| (run.number, run.marks)).collect();
        assert_eq!(places, [(4, 0), (7, 1), (4, 1), (9, 2)]);
    }

    #[test]
    fn a_line_is_two_numbers() {
        assert_eq!(parse("17 3\r\n").unwrap(), Execution { number: 17, code: 3, marks: 0 });
        for line in ["", "17", "17 x", "17  3", "-1 3"] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }
}
