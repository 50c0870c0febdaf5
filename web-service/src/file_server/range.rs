//! `Range` of a request: one range of bytes. More than one, or another unit, is as good as none, as the standard allows.

use http::{HeaderMap, header};
use std::ops::Range;

/// What of a file is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Not empty, and within the file.
    Range(Range<u64>),
    /// It begins behind the end.
    Impossible,
}

impl Part {
    /// What a request asks of a file that has `size` bytes.
    pub(super) fn asked(headers: &HeaderMap, size: u64) -> Self {
        // The bytes of a file never change, but whoever sends If-Range is not sure to speak of these.
        let range = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
        let range = range.and_then(|it| it.to_str().ok()).and_then(|it| it.strip_prefix("bytes="));
        range.and_then(|it| Self::read(it.trim(), size)).unwrap_or(Self::Whole)
    }

    /// The bytes to send.
    pub(super) fn range(&self, size: u64) -> Range<u64> {
        match self {
            Self::Whole => 0..size,
            Self::Range(it) => it.clone(),
            Self::Impossible => 0..0,
        }
    }

    /// `None` for what is not one range.
    fn read(text: &str, size: u64) -> Option<Self> {
        let (first, last) = text.split_once('-')?;
        let number = |it: &str| {
            let digits = !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
            // More digits than a number holds are behind every end.
            digits.then(|| it.parse().unwrap_or(u64::MAX))
        };
        let range = match (first, last) {
            ("", last) => size.saturating_sub(number(last)?)..size,
            (first, "") => number(first)?..size,
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                if last < first {
                    return None;
                }
                first..last.saturating_add(1).min(size)
            }
        };
        Some(if range.is_empty() { Self::Impossible } else { Self::Range(range) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &'static str, size: u64) -> Part {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().unwrap());
        Part::asked(&headers, size)
    }

    #[test]
    fn one_range_is_cut_to_the_file() {
        for (range, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-4", 2..5),
            ("bytes=2-", 2..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("bytes=9-99999999999999999999999", 9..10),
            ("bytes= 5-6", 5..7),
        ] {
            assert_eq!(asked(range, 10), Part::Range(expected), "{range}");
        }
    }

    #[test]
    fn what_begins_behind_the_end_can_not_be_sent() {
        for range in ["bytes=10-", "bytes=10-12", "bytes=99999999999999999999999-", "bytes=-0"] {
            assert_eq!(asked(range, 10), Part::Impossible, "{range}");
        }
        assert_eq!(asked("bytes=0-", 0), Part::Impossible);
    }

    #[test]
    fn what_is_not_one_range_is_ignored() {
        for range in [
            "bytes=0-1,3-4",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=4-2",
            "bytes=+1-2",
            "bytes=1",
            "items=0-1",
            "0-1",
        ] {
            assert_eq!(asked(range, 10), Part::Whole, "{range}");
        }
    }
}
