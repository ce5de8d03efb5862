//! Requests on the control socket, and the lines of their answers.

use pidone::admin::control::{self, AnswerLine, ControlRequest, InvalidRequest, REQUEST_MAX};

pub fn check(data: &[u8]) {
    let all = ControlRequest::read(data, true).expect("nothing more will come");
    // A request that is read from the beginning of the input is the one that is read from all of it.
    for end in [1, 2, 7, 8, 16, REQUEST_MAX, REQUEST_MAX + 1] {
        let beginning = &data[..end.min(data.len())];
        if let Some(early) = ControlRequest::read(beginning, false) {
            assert_eq!(early, all);
        }
    }
    let line = data.split(|byte| *byte == b'\n').next().unwrap();
    assert_eq!(
        line.len() > REQUEST_MAX,
        all == Err(InvalidRequest::TooLong)
    );
    match &all {
        Ok(request) => assert_eq!(ControlRequest::parse(&request.to_string()), Ok(*request)),
        Err(error) => {
            let failure = control::failure(&error.to_string());
            assert!(!failure.is_empty());
            tagged(&failure, |line| matches!(line, AnswerLine::Failed(_)));
        }
    }
    let text = String::from_utf8_lossy(data);
    tagged(&control::success(&text), |line| {
        matches!(line, AnswerLine::Done(_))
    });
    tagged(&control::progress(&text), |line| {
        matches!(line, AnswerLine::Progress(_))
    });
}

/// Every line is of this kind, and has no control characters, which could affect a terminal.
fn tagged(text: &str, is_so: impl Fn(AnswerLine<'_>) -> bool) {
    assert!(text.is_empty() || text.ends_with('\n'));
    for line in text.split_terminator('\n') {
        assert!(AnswerLine::parse(line).is_some_and(&is_so), "{line:?}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}
