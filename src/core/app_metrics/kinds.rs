//! What a family of the app's metrics is, and what its samples are called.

use crate::json::Value;

/// What a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl Kind {
    pub(super) fn read(value: Value<'_>) -> Option<Self> {
        let all = [Self::Counter, Self::Gauge, Self::Histogram, Self::Summary];
        all.into_iter().find(|kind| value.is_string(kind.name()))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }

    /// The label that tells the series of one histogram or summary apart.
    pub(super) fn own_label(self) -> Option<&'static str> {
        match self {
            Self::Histogram => Some("le"),
            Self::Summary => Some("quantile"),
            Self::Counter | Self::Gauge => None,
        }
    }
}

/// How the workers' numbers become one: the app says so for each metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregator {
    Sum,
    First,
    Min,
    Max,
    Average,
    /// The metric is left out.
    Omit,
}

impl Aggregator {
    pub(super) fn read(value: Value<'_>) -> Option<Self> {
        let names = [
            ("sum", Self::Sum),
            ("first", Self::First),
            ("min", Self::Min),
            ("max", Self::Max),
            ("average", Self::Average),
            ("omit", Self::Omit),
        ];
        let (_, meant) = names.into_iter().find(|(name, _)| value.is_string(name))?;
        Some(meant)
    }
}

/// What follows the family's name in a sample's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    None,
    Bucket,
    Sum,
    Count,
    /// No sample: it stands for all of a histogram or a summary with the same labels.
    Group,
}

impl Ending {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::None | Self::Group => "",
            Self::Bucket => "_bucket",
            Self::Sum => "_sum",
            Self::Count => "_count",
        }
    }
}

pub(super) fn ending_of(text: &str) -> Option<Ending> {
    let all = [Ending::None, Ending::Bucket, Ending::Sum, Ending::Count];
    all.into_iter().find(|ending| ending.text() == text)
}
