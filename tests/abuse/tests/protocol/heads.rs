//! P16, P18, P19: heads of requests that are no such thing, or two things at once.

use std::io::Write;

use tepui_abuse::{
    Role, Victim,
    http1::{self, JSON},
    http2::{self, Connection, END_HEADERS, END_STREAM, HEADERS},
};

#[test]
fn p16_headers_of_a_mebibyte_are_refused() {
    let victim = Victim::start();
    for role in Role::BOTH {
        let long = "x".repeat(1 << 20);
        let head = http1::head("GET", "/health", &[("X", &long)], 0);
        let text = http1::exchange(victim.address(role), &head);
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 431 "),
            "{text}"
        );
        let many: String = (0..5000).map(|n| format!("X-{n}: {n}\r\n")).collect();
        let head = format!("GET /health HTTP/1.1\r\nHost: h\r\n{many}\r\n");
        let text = http1::exchange(victim.address(role), head.as_bytes());
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 431 "),
            "{text}"
        );
        // Over HTTP/2 in pieces, since a frame holds 16 KiB.
        let mut connection = Connection::open(victim.address(role), &[]);
        let block = [
            http2::request("GET", "/health", JSON),
            http2::header("x", &long),
        ]
        .concat();
        let mut pieces = block.chunks(16 << 10);
        let first = pieces.next().unwrap();
        let mut sent = connection.send(&http2::frame(HEADERS, END_STREAM, 1, first));
        for piece in pieces {
            let frame = http2::frame(http2::CONTINUATION, 0, 1, piece);
            sent = sent.and_then(|()| connection.send(&frame));
        }
        let end = http2::frame(http2::CONTINUATION, END_HEADERS, 1, &[]);
        let _ = sent.and_then(|()| connection.send(&end));
        let refused = std::iter::from_fn(|| connection.take())
            .find(|it| [HEADERS, http2::RST_STREAM, http2::GOAWAY].contains(&it.kind));
        if let Some(answer) = refused.filter(|it| it.kind == HEADERS) {
            assert_eq!(answer.flags & END_STREAM, END_STREAM, "431 has no body");
        }
    }
    victim.is_unharmed();
}

#[test]
fn p18_odd_requests_on_the_port_of_grpc_are_answered() {
    let victim = Victim::start();
    for role in Role::BOTH {
        let address = victim.address(role);
        // HTTP/1.1 to a method of gRPC, and odd paths.
        let grpc = http1::post(address, "/tepui.v1.Operator/Call", &[], b"");
        assert!(grpc.status < 500 || grpc.status == 505, "{grpc:?}");
        for path in [
            "/%00",
            "//../api/v1",
            "/api/v1/../x",
            "/%",
            "/api/v1%2fscheduler",
            "/%ff",
        ] {
            assert_eq!(http1::get(address, path).status, 404, "{path}");
        }
        for line in [
            "GET  HTTP/1.1",
            "GET",
            " / HTTP/1.1",
            "GET / HTTP/9.9",
            "GET /\0 HTTP/1.1",
        ] {
            let request = format!("{line}\r\nHost: h\r\n\r\n");
            let text = http1::exchange(address, request.as_bytes());
            let is_refused = text.is_empty() || text.starts_with("HTTP/1.1 400 ");
            assert!(
                is_refused || text.starts_with("HTTP/1.1 505 "),
                "{line:?}: {text}"
            );
        }
        // Chunks, with something behind the last.
        let request = "POST /api/v1 HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
            Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
            16\r\n{\"type\":\"GET_VERSION\"}\r\n0\r\nX-Extra: 1\r\nContent-Length: 5\r\n\r\n";
        let text = http1::ask_and_close(address, request.as_bytes());
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
    }
    victim.is_unharmed();
}

/// What two servers in a row read in two ways lets a request hide in another's body.
#[test]
fn p19_a_request_in_another_is_not_seen() {
    const HIDDEN: &str = "GET /version HTTP/1.1\r\nHost: h\r\n\r\n";
    let victim = Victim::start();
    let refused = [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4, 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        " Content-Length: 5\r\n",
    ];
    for role in Role::BOTH {
        let address = victim.address(role);
        for headers in refused {
            let head = format!("POST /api/v1 HTTP/1.1\r\nHost: h\r\n{headers}\r\n{HIDDEN}");
            let text = http1::exchange(address, head.as_bytes());
            assert!(!text.contains("\"version\""), "{headers:?}: {text}");
            assert!(
                text.matches("HTTP/1.1 ").count() <= 1,
                "{headers:?}: {text}"
            );
        }
        // A length and chunks at once: the chunks count, and nothing behind them is read.
        let request = format!(
            "POST /api/v1 HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
             Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n{HIDDEN}"
        );
        let mut stream = http1::connect(address);
        stream.write_all(request.as_bytes()).unwrap();
        let text = http1::rest(&mut stream);
        assert!(text.starts_with("HTTP/1.1 400 "), "{text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
        for broken in [
            "z\r\n",
            "-1\r\n",
            "ffffffffffffffffff\r\n",
            "2 {}\r\n",
            "1\r\n{}\r\n",
        ] {
            let request = format!(
                "POST /api/v1 HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
                 Transfer-Encoding: chunked\r\n\r\n{broken}0\r\n\r\n{HIDDEN}"
            );
            let text = http1::exchange(address, request.as_bytes());
            assert!(!text.contains("\"version\""), "{broken:?}: {text}");
        }
    }
    victim.is_unharmed();
}
