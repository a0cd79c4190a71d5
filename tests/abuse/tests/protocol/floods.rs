//! P11 to P15: too much of what HTTP/2 allows.

use std::{
    io::Write as _,
    sync::{Arc, Condvar, Mutex},
    thread,
    time::{Duration, Instant},
};

use tepui_abuse::{
    Role, Victim, http1,
    http2::{
        self, CONTINUATION, Connection, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, GOAWAY,
        HEADERS, PING, REFUSED_STREAM, RST_STREAM, SETTINGS, WINDOW_UPDATE,
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

/// What a flood of messages that do not end has come to.
#[derive(Default)]
struct Windows {
    connection: i64,
    streams: Vec<i64>,
    is_over: bool,
}

/// Takes the room that the other side gives.
fn follow(mut reader: Connection, windows: &(Mutex<Windows>, Condvar)) {
    while let Some(frame) = reader.take() {
        let mut room = windows.0.lock().unwrap();
        match frame.kind {
            WINDOW_UPDATE => {
                let more = u32::from_be_bytes(frame.payload[..4].try_into().unwrap());
                match frame.stream as usize {
                    0 => room.connection += i64::from(more),
                    stream => room.streams[(stream - 1) / 2] += i64::from(more),
                }
            }
            SETTINGS if frame.flags == 0 => {
                for setting in frame.payload.chunks(6).filter(|it| it[..2] == [0, 4]) {
                    let size = u32::from_be_bytes(setting[2..].try_into().unwrap());
                    let more = i64::from(size) - 65_535;
                    room.streams.iter_mut().for_each(|stream| *stream += more);
                }
            }
            _ => {}
        }
        windows.1.notify_all();
    }
    windows.0.lock().unwrap().is_over = true;
    windows.1.notify_all();
}

/// Sends on every stream whatever there is room for, up to so much, until there is no more room for
/// a while: how much that was.
fn pour(connection: &mut Connection, windows: &(Mutex<Windows>, Condvar), most: usize) -> usize {
    let mut sent = vec![0; windows.0.lock().unwrap().streams.len()];
    loop {
        let mut room = windows.0.lock().unwrap();
        let free = (0..sent.len()).find(|it| room.streams[*it] > 0 && sent[*it] < most);
        let Some(stream) = free.filter(|_| room.connection > 0) else {
            let waited = windows.1.wait_timeout(room, Duration::from_secs(2));
            let (room, waited) = waited.unwrap();
            if waited.timed_out() || room.is_over {
                return sent.iter().sum();
            }
            continue;
        };
        let size = room.streams[stream].min(room.connection).min(16_384) as usize;
        let size = size.min(most - sent[stream]);
        room.streams[stream] -= size as i64;
        room.connection -= size as i64;
        drop(room);
        sent[stream] += size;
        let id = 2 * stream as u32 + 1;
        let data = http2::frame(DATA, 0, id, &vec![0; size]);
        if connection.send(&data).is_err() {
            return sent.iter().sum();
        }
    }
}

/// P1 and P14 together: what has come of a message is kept until it is whole.
#[test]
fn p14_messages_that_begin_on_every_stream_and_do_not_end_take_turns() {
    const STREAMS: usize = 64;
    const MESSAGE: usize = 4 << 20;
    let victim = Victim::start();
    for role in Role::BOTH {
        let path = match role {
            Role::Master => "/tepui.v1.Operator/Call",
            Role::Agent => "/tepui.v1.Node/Call",
        };
        let mut connection = Connection::open(victim.address(role), &[]);
        let windows = Windows {
            connection: 65_535,
            streams: vec![65_535; STREAMS],
            is_over: false,
        };
        let windows = Arc::new((Mutex::new(windows), Condvar::new()));
        let (reader, shared) = (connection.twin(), Arc::clone(&windows));
        let following = thread::spawn(move || follow(reader, &shared));
        let head = http2::request("POST", path, "application/grpc");
        for stream in 0..STREAMS {
            let id = 2 * stream as u32 + 1;
            let open = http2::frame(HEADERS, END_HEADERS, id, &head);
            connection.send(&open).unwrap();
            let length = [&[0][..], &(MESSAGE as u32).to_be_bytes()].concat();
            connection
                .send(&http2::frame(DATA, 0, id, &length))
                .unwrap();
            let mut room = windows.0.lock().unwrap();
            room.streams[stream] -= 5;
            room.connection -= 5;
        }
        // All but the last byte.
        let taken = pour(&mut connection, &windows, MESSAGE - 1);
        println!("{role:?}: {taken} bytes of {}", STREAMS * MESSAGE);
        let turns = tepui_edge::limits::LARGE_BODIES;
        assert!(taken >= MESSAGE, "{role:?} took {taken} bytes");
        // Each stream that waits has its window besides.
        assert!(taken < (turns + STREAMS / 4) * MESSAGE, "{taken}");
        victim.is_well(role);
        let _ = connection.half_close();
        following.join().unwrap();
    }
    victim.is_unharmed();
}
