//! P17, P22 to P25: connections that are slow, many, or not what they seem.

use std::{
    io::{BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::Duration,
};

use serde_json::json;
use tepui_abuse::{
    Role, Victim,
    http1::{self, JSON},
    http2::{self, Connection, DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE},
};

/// Says one byte now and then until the other side has had enough.
fn trickle(mut stream: TcpStream, bytes: &[u8]) {
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut buffer = [0; 512];
    // As long as nothing in this test may take; a byte each half second.
    for byte in bytes.iter().cycle().take(120) {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return,
                Err(_) => break,
            }
        }
    }
    panic!("it may go on for ever");
}

#[test]
fn p17_who_begins_too_slowly_is_dropped() {
    let victim = Victim::start();
    let begins: [&[u8]; 4] = [
        &PREFACE[..1],
        PREFACE,
        b"GET /health HTTP/1.1\r\nHost: h\r\nX: ",
        b"POST /api/v1 HTTP/1.1\r\nHost: h\r\n",
    ];
    thread::scope(|scope| {
        for role in Role::BOTH {
            for begin in begins {
                let stream = http1::connect(victim.address(role));
                scope.spawn(move || trickle(stream, begin));
            }
            // Who says nothing at all.
            let mut silent = http1::connect(victim.address(role));
            scope.spawn(move || assert_eq!(http1::rest(&mut silent), ""));
        }
    });
    victim.is_unharmed();
}

#[test]
fn p22_connections_beyond_the_limit_are_closed_and_the_others_are_served() {
    let victim = Victim::start();
    let address = victim.address(Role::Agent);
    let mut kept = Vec::new();
    let mut closed = 0;
    for _ in 0..6000 {
        let Ok(stream) = TcpStream::connect(address) else {
            closed += 1;
            continue;
        };
        kept.push(stream);
    }
    if kept.len() < 5000 {
        let count = kept.len();
        println!("not done: this process may open {count} connections only (ulimit -Hn)");
        return;
    }
    // What is beyond the limit is closed at once; the rest is left alone for a while.
    for stream in &kept {
        stream.set_nonblocking(true).unwrap();
    }
    tepui_cluster_tests::eventually("some are closed", || {
        let over = |stream: &&TcpStream| {
            let mut stream: &TcpStream = stream;
            !matches!(stream.read(&mut [0]), Err(error)
                if error.kind() == std::io::ErrorKind::WouldBlock)
        };
        (kept.iter().filter(over).count() + closed > 1000).then_some(())
    });
    // The master is no worse for it, and the agent itself once they are gone.
    victim.is_well(Role::Master);
    drop(kept);
    tepui_cluster_tests::eventually("the agent answers", || {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        stream
            .write_all(&http1::head("GET", "/health", &[], 0))
            .ok()?;
        http1::answer(&mut BufReader::new(stream)).filter(|it| it.status == 200)
    });
    victim.is_unharmed();
}

#[test]
fn p23_what_is_no_http_ends_its_connection() {
    let victim = Victim::start();
    let hello: &[u8] = &[
        0x16, 0x03, 0x01, 0x00, 0x2f, 0x01, 0x00, 0x00, 0x2b, 0x03, 0x03, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0x13, 0x01,
        1, 0,
    ];
    let noise: Vec<u8> = (0..100_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for role in Role::BOTH {
        for bytes in [hello, &noise, &[0; 4096], b"\r\n\r\n\r\n"] {
            let text = http1::exchange(victim.address(role), bytes);
            assert!(!text.contains(" 200 "), "{text}");
        }
        // A byte at a time.
        let mut stream = http1::connect(victim.address(role));
        for byte in hello {
            if stream.write_all(&[*byte]).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(Shutdown::Write);
        http1::rest(&mut stream);
        // What begins well and goes on as noise.
        let mut connection = Connection::open(victim.address(role), &[]);
        let _ = connection.send(&noise);
        connection.end();
    }
    victim.is_unharmed();
}

#[test]
fn p24_what_is_sent_after_the_end_is_an_error_of_its_stream() {
    let victim = Victim::start();
    for role in Role::BOTH {
        let mut connection = Connection::open(victim.address(role), &[]);
        let head = http2::request("GET", "/health", JSON);
        let flags = END_HEADERS | END_STREAM;
        connection
            .send(&http2::frame(HEADERS, flags, 1, &head))
            .unwrap();
        let _ = connection.send(&http2::frame(DATA, 0, 1, b"more"));
        let errors = [http2::RST_STREAM, http2::GOAWAY];
        let error = std::iter::from_fn(|| connection.take()).find(|it| errors.contains(&it.kind));
        let code = error.map(|frame| frame.code());
        let known = [http2::STREAM_CLOSED, http2::PROTOCOL_ERROR];
        assert!(code.is_none_or(|it| known.contains(&it)), "{code:?}");
        // One that ends in the middle of a body is not answered as if it were whole.
        let request = http1::head("POST", "/api/v1", &[("Content-Type", JSON)], 100);
        let cut = [&request[..], b"{\"type\":\"GET_VERSION\"}"].concat();
        let text = http1::exchange(victim.address(role), &cut);
        assert!(!text.contains(" 200 "), "{text}");
    }
    victim.is_unharmed();
}

#[test]
fn p25_watchers_beyond_the_limit_end_the_oldest() {
    let victim = Victim::start();
    let body = json!({"type": "SUBSCRIBE"}).to_string();
    let headers = [("Content-Type", JSON)];
    let mut watchers = Vec::new();
    // A master takes a thousand.
    for _ in 0..1100 {
        let mut stream = BufReader::new(http1::connect(victim.address(Role::Master)));
        let head = http1::head("POST", "/api/v1", &headers, body.len());
        let request = [&head, body.as_bytes()].concat();
        stream.get_mut().write_all(&request).unwrap();
        let answer = http1::answer(&mut stream).expect("an answer");
        assert_eq!(answer.status, 200);
        watchers.push(stream);
    }
    let newest = watchers.last_mut().unwrap();
    let first = http1::chunk(newest).expect("the newest watches");
    assert!(String::from_utf8_lossy(&first).contains("SUBSCRIBED"));
    // The oldest hears the end of its stream.
    while http1::chunk(&mut watchers[0]).is_some() {}
    victim.is_well(Role::Master);
    drop(watchers);
    victim.is_unharmed();
}
