//! What the program tells its caller when it ends, whoever that is: `make`, a script, CI.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};

use nix::sys::signal::Signal;
use shardcart_harness::network::ports;
use shardcart_harness::processes::child::Child;

fn benchmark(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_benchmark"));
    command.args(words.split_whitespace());
    command
}

fn ended(words: &str) -> (i32, String) {
    let Output { status, stderr, .. } = benchmark(words).output().expect("the program was built for this test");
    (status.code().expect("no signal ends it"), String::from_utf8_lossy(&stderr).into_owned())
}

#[test]
fn a_wrong_flag_is_2() {
    for wrong in ["stress --mix fly=1", "stress --rate 0", "checkout --clients 0", "price --settings d", "nothing"] {
        assert_eq!(ended(wrong).0, 2, "{wrong}");
    }
}

#[test]
fn a_shop_that_is_not_there_is_1() {
    for command in ["load", "checkout", "stress", "consistency", "experiments"] {
        let (code, said) = ended(&format!("{command} --url http://127.0.0.1:1 --ready-timeout-s 0"));
        assert_eq!(code, 1, "{command}");
        assert!(said.contains("not ready"), "{command}: {said}");
    }
}

#[test]
fn nothing_on_record_is_1_at_once() {
    let (code, said) = ended("kept --recorded /nowhere/kept.json");
    assert_eq!(code, 1);
    assert!(said.contains("--record"), "{said}");
}

/// A server that answers everything with a sold-out shop's answer.
#[test]
fn a_shop_that_sells_nothing_is_1_and_its_answer_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer_all(stream.unwrap()));
        }
    });
    let line = format!("checkout --url http://127.0.0.1:{port} --checkouts 5 --clients 1 --items 1 --users 1");
    let Output { status, stdout, stderr } = benchmark(&line).output().unwrap();
    let (shown, said) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(1), "{shown}{said}");
    assert!(shown.contains("409 insufficient_stock"), "{shown}");
    assert!(shown.contains("first: POST /orders/checkout/0: none of it"), "{shown}");
    assert!(said.contains("not one"), "{said}");
}

fn answer_all(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut byte = [0];
    while matches!(stream.read(&mut byte), Ok(1)) {
        request.push(byte[0]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let (status, body) = if text.contains("/checkout/") {
            (409, r#"{"code":"insufficient_stock","detail":"none of it"}"#)
        } else {
            (200, r#"{"stock":10,"credit":10}"#)
        };
        request.clear();
        let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn an_interrupted_run_is_130() {
    let port = ports::free();
    let mut running = Child::start(benchmark(&format!("bare --port {port}")), Signal::SIGKILL);
    // It listens only after it has begun to listen for signals.
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(10));
        assert!(running.status().is_none(), "it ended by itself");
    }
    running.signal(Signal::SIGINT);
    while running.status().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(running.status().unwrap().code(), Some(130));
}
