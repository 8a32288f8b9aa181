//! Calls a module on the crate `wapc` again and again, and prints what one call takes as JSON:
//! `wapc-baseline MODULE OPERATION PAYLOAD_BYTES MILLISECONDS`.

use std::error::Error;
use std::time::{Duration, Instant};

use wapc::WapcHost;
use wasmtime_provider::WasmtimeEngineProviderBuilder;

/// Calls between two looks at the clock.
const BATCH: u32 = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, operation, bytes, milliseconds] = arguments.as_slice() else {
        return Err("wapc-baseline MODULE OPERATION PAYLOAD_BYTES MILLISECONDS".into());
    };
    let payload = vec![b'.'; bytes.parse()?];
    let time = Duration::from_millis(milliseconds.parse()?);
    let module = std::fs::read(module)?;
    let engine = WasmtimeEngineProviderBuilder::new().module_bytes(&module).build()?;
    let host = WapcHost::new(Box::new(engine), None)?;
    if host.call(operation, &payload)? != payload {
        return Err("the answer is not what was sent".into());
    }
    let (begun, mut calls) = (Instant::now(), 0);
    while begun.elapsed() < time {
        for _ in 0..BATCH {
            host.call(operation, &payload)?;
        }
        calls += BATCH;
    }
    let call_us = begun.elapsed().as_secs_f64() * 1e6 / f64::from(calls);
    println!("{}", serde_json::json!({ "call_us": call_us, "calls": calls }));
    Ok(())
}
