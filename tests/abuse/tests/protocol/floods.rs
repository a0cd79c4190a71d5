//! P11 to P15: too much of what HTTP/2 allows.

use std::{io::Write as _, thread, time::Instant};

use tepui_abuse::{
    Role, Victim, http1,
    http2::{
        self, CONTINUATION, Connection, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY,
        HEADERS, PING, REFUSED_STREAM, RST_STREAM, SETTINGS,
    },
};

/// Sends the same again and again until the other side has had enough, or so often.
fn flood(connection: &mut Connection, times: u32, mut bytes: impl FnMut(u32) -> Vec<u8>) {
    for n in 0..times {
        if connection.send(&bytes(n)).is_err() {
            return;
        }
    }
}

#[test]
fn p11_streams_that_are_reset_at_once_end_the_connection() {
    let victim = Victim::start();
    for role in Role::BOTH {
        let head = http2::request("POST", "/api/v1", http1::JSON);
        let mut connection = Connection::open(victim.address(role), &[]);
        let mut reader = connection.twin();
        let ended = thread::spawn(move || reader.end());
        let began = Instant::now();
        flood(&mut connection, 100_000, |n| {
            let stream = 2 * n + 1;
            let open = http2::frame(HEADERS, END_HEADERS, stream, &head);
            [open, http2::frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
        });
        // Closing ends the reading if nothing else does.
        let _ = connection.half_close();
        let code = ended.join().unwrap();
        println!("{role:?}: {code:?} after {:?}", began.elapsed());
        assert!(code.is_none_or(|it| it == ENHANCE_YOUR_CALM), "{code:?}");
    }
    victim.is_unharmed();
}

#[test]
fn p12_headers_without_end_end_the_connection() {
    let victim = Victim::start();
    for role in Role::BOTH {
        for piece in [vec![], http2::header("x", &"y".repeat(8000))] {
            let mut connection = Connection::open(victim.address(role), &[]);
            let head = http2::request("GET", "/health", http1::JSON);
            let open = http2::frame(HEADERS, END_STREAM, 1, &head);
            connection.send(&open).unwrap();
            let more = http2::frame(CONTINUATION, 0, 1, &piece);
            let mut reader = connection.twin();
            let ended = thread::spawn(move || reader.end());
            flood(&mut connection, 100_000, |_| more.clone());
            let _ = connection.half_close();
            let code = ended.join().unwrap();
            assert!(code.is_none_or(|it| it > 0), "it ended as if all were well");
        }
    }
    victim.is_unharmed();
}

/// The answers are not read. Whoever answers all the same keeps them somewhere.
#[test]
fn p13_settings_and_pings_whose_answers_nobody_reads_take_no_room() {
    let victim = Victim::start();
    for role in Role::BOTH {
        for kind in [SETTINGS, PING] {
            let payload: &[u8] = if kind == PING { b"12345678" } else { &[] };
            let frame = http2::frame(kind, 0, 0, payload).repeat(100);
            let mut connection = Connection::open(victim.address(role), &[]);
            let before = victim.resident(role);
            connection.do_not_wait();
            flood(&mut connection, 20_000, |_| frame.clone());
            let growth = victim.resident(role).saturating_sub(before);
            assert!(
                growth < 32 << 20,
                "{role:?} keeps {growth} bytes for {kind}"
            );
            victim.is_well(role);
        }
    }
    victim.is_unharmed();
}

#[test]
fn p14_streams_beyond_the_limit_are_refused() {
    let victim = Victim::start();
    for role in Role::BOTH {
        let head = http2::request("POST", "/api/v1", http1::JSON);
        let mut connection = Connection::open(victim.address(role), &[]);
        let mut reader = connection.twin();
        let refusals = thread::spawn(move || {
            let mut refused = 0;
            while let Some(frame) = reader.take() {
                match frame.kind {
                    RST_STREAM if frame.code() == REFUSED_STREAM => refused += 1,
                    GOAWAY => return (refused, Some(frame.code())),
                    PING => break,
                    _ => {}
                }
            }
            (refused, None)
        });
        // Bodies that never come keep them open.
        flood(&mut connection, 10_000, |n| {
            http2::frame(HEADERS, END_HEADERS, 2 * n + 1, &head)
        });
        let _ = connection.send(&http2::frame(PING, 0, 0, b"the end?"));
        let (refused, code) = refusals.join().unwrap();
        let is_calmed = code == Some(ENHANCE_YOUR_CALM);
        assert!(
            is_calmed || refused > 1000,
            "{role:?}: {refused} refused, {code:?}"
        );
        victim.is_well(role);
    }
    victim.is_unharmed();
}

/// Answers that nobody takes, as many as a connection may ask for.
#[test]
fn p15_answers_that_are_not_taken_take_little_room() {
    let victim = Victim::start();
    for role in Role::BOTH {
        // A window of nothing.
        let mut connection = Connection::open(victim.address(role), &http2::setting(4, 0));
        let head = http2::request("GET", "/state", http1::JSON);
        for n in 0..500 {
            let flags = END_HEADERS | END_STREAM;
            let open = http2::frame(HEADERS, flags, 2 * n + 1, &head);
            if connection.send(&open).is_err() {
                break;
            }
        }
        let mut answers = 0;
        while answers < 400 && connection.find(HEADERS).is_some() {
            answers += 1;
        }
        victim.is_well(role);
        // And over HTTP/1.1, where the requests follow one another.
        let mut stream = http1::connect(victim.address(role));
        let requests = http1::head("GET", "/state", &[], 0).repeat(1000);
        let _ = stream.set_nonblocking(true);
        let _ = stream.write_all(&requests);
        victim.is_well(role);
    }
    victim.is_unharmed();
}
