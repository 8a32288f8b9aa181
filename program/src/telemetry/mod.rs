//! Telemetry of the mesh's programs: logs, and where `OTEL_*` variables ask for it traces and metrics by OTLP.
//!
//! Spans of calls exist only where they are exported: without an endpoint a call pays nothing.

mod spans;

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider};
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

pub use spans::{call_span, context_of, finish, serve_span};

/// Interval at which metrics are exported.
const METRICS_INTERVAL_MS: u64 = 10_000;
/// Spans that wait for export.
const SPANS_QUEUED_MAX: usize = 8_192;

/// How the log is written, to stderr.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object a line, for programs.
    Json,
}

/// How a program logs, as its command line says.
#[derive(Clone, Debug, clap::Args)]
pub struct LogArgs {
    /// How the log is written, to stderr
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "MESH_LOG_FORMAT",
        value_name = "FORMAT"
    )]
    pub log_format: LogFormat,
    /// What is logged, as RUST_LOG is written: `info`, `mesh_node=debug`, `actor=trace` …
    #[arg(
        long,
        global = true,
        default_value = "info,async_nats=warn",
        env = "RUST_LOG",
        value_name = "FILTER"
    )]
    pub log: String,
}

/// Why telemetry can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of the log can't be read.
    #[error("the log filter can't be read: {0}")]
    Filter(String),
    /// An exporter can't be built from the `OTEL_*` variables.
    #[error("OTLP export can't be set up: {0}")]
    Export(String),
    /// Something else set up logging in this process before.
    #[error("logging is set up already")]
    Taken,
}

/// What must be flushed at the end.
pub struct Telemetry {
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

impl Telemetry {
    /// Sets up the log of `program` with `filter` (as `RUST_LOG` is written), and export where the standard
    /// variables name an endpoint. Call it before the runtime is built.
    ///
    /// # Errors
    /// [`TelemetryError`].
    pub fn start(
        program: &'static str,
        format: LogFormat,
        filter: &str,
    ) -> Result<Self, TelemetryError> {
        let log_filter = log_filter(filter)?;
        let telemetry = if export_wanted(|name| std::env::var(name).ok()) {
            settle_on_cryptography();
            Self { traces: Some(traces(program)?), metrics: Some(metrics(program)?) }
        } else {
            Self { traces: None, metrics: None }
        };
        if let Some(metrics) = &telemetry.metrics {
            opentelemetry::global::set_meter_provider(metrics.clone());
        }
        let spans = telemetry.traces.as_ref().map(|traces| {
            let tracer = traces.tracer(program);
            let only_calls = Targets::new().with_target(spans::TARGET, tracing::Level::INFO);
            tracing_opentelemetry::layer().with_tracer(tracer).with_filter(only_calls)
        });
        let log = tracing_subscriber::fmt::layer()
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
        let log = match format {
            LogFormat::Text => log.with_target(false).boxed(),
            LogFormat::Json => log.json().flatten_event(true).boxed(),
        };
        tracing_subscriber::registry()
            .with(spans)
            .with(log.with_filter(log_filter))
            .try_init()
            .map_err(|_| TelemetryError::Taken)?;
        Ok(telemetry)
    }

    /// Returns whether spans are exported.
    pub fn traced(&self) -> bool {
        self.traces.is_some()
    }

    /// Exports what is still queued.
    pub fn stop(self) {
        let traces = self.traces.map(|traces| traces.shutdown());
        let metrics = self.metrics.map(|metrics| metrics.shutdown());
        for outcome in [traces, metrics].into_iter().flatten() {
            if let Err(error) = outcome {
                tracing::warn!(%error, "the last telemetry could not be exported");
            }
        }
    }
}

/// Reads the filter of the log. The spans of calls are exported and not logged: a directive says so
/// and no function, since a filter of directives alone lets what nobody wants cost one comparison.
fn log_filter(filter: &str) -> Result<EnvFilter, TelemetryError> {
    let wrong = |error: &dyn std::fmt::Display| TelemetryError::Filter(error.to_string());
    let filter = EnvFilter::builder().parse(filter).map_err(|error| wrong(&error))?;
    let no_calls = format!("{}=off", spans::TARGET).parse().map_err(|error| wrong(&error))?;
    Ok(filter.add_directive(no_calls))
}

/// Decides from the standard variables whether anything shall be exported.
fn export_wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let disabled =
        variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let endpoint = set("OTEL_EXPORTER_OTLP_ENDPOINT") || set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let none = variable("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    endpoint && !disabled && !none
}

fn export_error(error: impl std::fmt::Display) -> TelemetryError {
    TelemetryError::Export(error.to_string())
}

/// `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` win over the defaults.
fn resource(program: &'static str) -> Resource {
    let builder = Resource::builder();
    if std::env::var_os("OTEL_SERVICE_NAME").is_some() {
        return builder.build();
    }
    builder.with_service_name(program).build()
}

/// The exporter's HTTP client takes the cryptography of the process, and does without where it can't
/// meet TLS; another dependency may have brought it TLS.
fn settle_on_cryptography() {
    // What was settled before is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

fn traces(program: &'static str) -> Result<SdkTracerProvider, TelemetryError> {
    let exporter =
        opentelemetry_otlp::SpanExporter::builder().with_http().build().map_err(export_error)?;
    let queue = BatchConfigBuilder::default().with_max_queue_size(SPANS_QUEUED_MAX).build();
    let batches = BatchSpanProcessor::builder(exporter).with_batch_config(queue).build();
    Ok(SdkTracerProvider::builder()
        .with_span_processor(batches)
        .with_resource(resource(program))
        .build())
}

fn metrics(program: &'static str) -> Result<SdkMeterProvider, TelemetryError> {
    let exporter =
        opentelemetry_otlp::MetricExporter::builder().with_http().build().map_err(export_error)?;
    let interval = Duration::from_millis(METRICS_INTERVAL_MS);
    let reader = opentelemetry_sdk::metrics::PeriodicReader::builder(exporter)
        .with_interval(interval)
        .build();
    Ok(SdkMeterProvider::builder().with_reader(reader).with_resource(resource(program)).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(variables: &[(&str, &str)]) -> bool {
        export_wanted(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_the_log_leaves_out_is_known_before_it_is_made() {
        use tracing_subscriber::filter::LevelFilter;
        let hint = |filter| {
            Layer::<tracing_subscriber::Registry>::max_level_hint(&log_filter(filter).unwrap())
        };
        assert_eq!(hint("info"), Some(LevelFilter::INFO));
        assert_eq!(hint("warn,mesh_node=debug"), Some(LevelFilter::DEBUG));
        assert!(log_filter("mesh_node=loud").is_err());
    }

    #[test]
    fn exports_only_where_an_endpoint_is_named_and_nothing_disables_it() {
        assert!(!wanted(&[]));
        assert!(!wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]));
        assert!(wanted(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")]));
        assert!(wanted(&[(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "http://127.0.0.1:4318/v1/traces"
        )]));
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        assert!(!wanted(&[endpoint, ("OTEL_SDK_DISABLED", "TRUE")]));
        assert!(!wanted(&[endpoint, ("OTEL_TRACES_EXPORTER", "none")]));
    }
}
