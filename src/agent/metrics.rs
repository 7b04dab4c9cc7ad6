//! The figures of the daemon's life, as Prometheus reads them: counted all the time, written when somebody asks.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::Agent;
use crate::alexa::messages::connection_status::Status;
use crate::alexa::messages::report::CallStateName;
use crate::bridge;
use crate::call::{CallEvent, CallId, EndReason};
use crate::media::Figures;
use crate::room;
use crate::time::{Moment, Now};

/// From dialling to the answer, in seconds: a machine answers in the first ones, a person in the last.
const SETUP_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const SECONDS_A_DAY: f64 = 86_400.0;

type Labels = Vec<(&'static str, &'static str)>;

/// What is counted.
pub(super) struct Metrics {
    counted: Registry,
    setup: Histogram,
    ended: Family<Labels, Counter>,
    reconnects: Family<Labels, Counter>,
    /// When the calls that were not answered yet were dialled.
    dialled: BTreeMap<CallId, Moment>,
    /// Those of the call that is up, else of the last one.
    figures: Option<Figures>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut counted = Registry::with_prefix("meetd");
        let setup = Histogram::new(SETUP_BUCKETS);
        let (ended, reconnects) = (Family::default(), Family::default());
        counted.register_with_unit(
            "call_setup",
            "From dialling a meeting to its answer",
            Unit::Seconds,
            setup.clone(),
        );
        counted.register(
            "calls_ended",
            "Calls that are over, by how they ended",
            ended.clone(),
        );
        counted.register(
            "bridge_reconnects",
            "Connections to the bridge that failed or broke and were sought again, by reason",
            reconnects.clone(),
        );
        Self {
            counted,
            setup,
            ended,
            reconnects,
            dialled: BTreeMap::new(),
            figures: None,
        }
    }
}

impl Metrics {
    /// A call is being placed.
    pub(super) fn dialled(&mut self, now: Now, call: CallId) {
        self.dialled.insert(call, now.moment);
        self.figures = None;
    }

    /// A dialer spoke of a call.
    pub(super) fn heard(&mut self, now: Now, event: &CallEvent) {
        match event {
            CallEvent::Answered { call, .. } => {
                if let Some(dialled) = self.dialled.remove(call) {
                    self.setup.observe((now.moment - dialled).as_secs_f64());
                }
            }
            CallEvent::Ended { call, reason } => self.ended(*call, reason),
            CallEvent::Proceeding { .. }
            | CallEvent::Ringing { .. }
            | CallEvent::Moved { .. }
            | CallEvent::DigitsSent { .. }
            | CallEvent::DigitsFailed { .. } => {}
        }
    }

    fn ended(&mut self, call: CallId, reason: &EndReason) {
        self.dialled.remove(&call);
        let labels = vec![("end_reason", room::end_reason(reason))];
        self.ended.get_or_create(&labels).inc();
    }

    /// The audio side counted.
    pub(super) fn figures(&mut self, figures: Figures) {
        self.figures = Some(figures);
    }

    /// The bridge is lost, or was not reached.
    pub(super) fn reconnects(&self, bridge: &bridge::Bridge) {
        for (reason, count) in bridge.failures() {
            let counter = self.reconnects.get_or_create(&vec![("reason", *reason)]).clone();
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }
}

impl Agent {
    /// All figures in the text format of Prometheus (OpenMetrics 1.0).
    pub(super) fn figures_in_text(&self, now: Now) -> String {
        self.metrics.reconnects(&self.bridge);
        let present = self.present(now);
        let mut text = String::new();
        // Writing into memory cannot fail.
        let _ = encode_registry(&mut text, &self.metrics.counted)
            .and_then(|()| encode_registry(&mut text, &present))
            .and_then(|()| encode_eof(&mut text));
        text
    }

    /// What is true now.
    fn present(&self, now: Now) -> Registry {
        let mut present = Registry::with_prefix("meetd");
        let version = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        present.register("build", "The version that runs", version);
        let is_connected = self.bridge.connection().current().status == Status::Connected;
        let call = self.room.status().call;
        let is_in_call = call.is_some_and(|call| call.state == CallStateName::Active);
        flag(
            &mut present,
            "bridge_connected",
            "Whether the bridge is connected",
            is_connected,
        );
        flag(&mut present, "call_active", "Whether a meeting is on", is_in_call);
        if let Some(figures) = self.metrics.figures {
            audio(&mut present, &figures);
        }
        if let Some(expires) = self.bridge.certificate_expires() {
            let seconds = expires.duration_since(now.wall).as_secs_f64();
            gauge(
                &mut present,
                "bridge_certificate_expiry_days",
                "Days until the certificate of the bridge expires",
                seconds / SECONDS_A_DAY,
            );
            gauge(
                &mut present,
                "bridge_certificate_expiry_timestamp_seconds",
                "When the certificate of the bridge expires",
                expires.as_second() as f64,
            );
        }
        present
    }
}

/// The audio of the call that is up, else of the last one.
fn audio(present: &mut Registry, figures: &Figures) {
    let ratio = |percent: f32| f64::from(percent) / 100.0;
    gauge(
        present,
        "call_jitter_seconds",
        "Interarrival jitter of the call's audio (RFC 3550), of this call or the last",
        f64::from(figures.jitter_ms) / 1000.0,
    );
    gauge(
        present,
        "call_loss_ratio",
        "Share of the far end's packets that never came, in this call or the last",
        ratio(figures.loss_percent),
    );
    gauge(
        present,
        "call_concealed_ratio",
        "Share of what was heard that had to be made up, in this call or the last",
        ratio(figures.concealed_percent),
    );
    gauge(
        present,
        "call_microphone_level_dbfs",
        "Level of the microphone before anything is done to it, -127 for silence, in this call or the last",
        f64::from(figures.microphone_level_dbfs),
    );
    gauge(
        present,
        "call_received_level_dbfs",
        "Level of what the far end sent, in this call or the last",
        f64::from(figures.far_level_dbfs),
    );
    if let Some(mos) = figures.mos {
        gauge(
            present,
            "call_mean_opinion_score",
            "Estimate of how the call sounds, 1 to 4.5 (ITU-T G.107), of this call or the last",
            f64::from(mos),
        );
    }
}

fn flag(registry: &mut Registry, name: &str, help: &str, is_true: bool) {
    gauge(registry, name, help, f64::from(u8::from(is_true)));
}

fn gauge(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::call::{Agreed, EndedHere};
    use crate::network::Transport;

    #[test]
    fn the_time_to_the_answer_and_the_ends_are_counted() {
        let mut metrics = Metrics::default();
        let call = CallId(uuid::Uuid::nil());
        metrics.dialled(at(1000), call);
        let agreed = Agreed {
            transport: Transport::Udp,
            codec: "pcmu",
            srtp: false,
        };
        metrics.heard(at(1200), &CallEvent::Answered { call, agreed });
        for _ in 0..2 {
            let reason = EndReason::EndedHere(EndedHere::Asked);
            metrics.heard(at(9000), &CallEvent::Ended { call, reason });
        }
        let mut text = String::new();
        encode_registry(&mut text, &metrics.counted).unwrap();
        for line in [
            "# TYPE meetd_call_setup_seconds histogram",
            "meetd_call_setup_seconds_bucket{le=\"0.1\"} 0",
            "meetd_call_setup_seconds_bucket{le=\"0.25\"} 1",
            "meetd_call_setup_seconds_sum 0.2",
            "meetd_calls_ended_total{end_reason=\"asked\"} 2",
        ] {
            assert!(text.lines().any(|said| said == line), "{line} is not in\n{text}");
        }
        assert!(metrics.dialled.is_empty());
    }

    fn at(milliseconds: u64) -> Now {
        Now {
            moment: Moment::since_boot(Duration::from_millis(milliseconds)),
            wall: jiff::Timestamp::UNIX_EPOCH,
        }
    }
}
