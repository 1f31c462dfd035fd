//! t
use shardcart_model::{checkout::*, explore::*, mutant::*, scenario::*};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    for s in SMALL.iter().chain(&LARGE) {
        if args.len() > 1 && args[1] != s.name && args[1] != "all" {
            continue;
        }
        let m = match args.get(2) {
            Some(n) => Checkout::without(Mutant::named(n).unwrap(), *s),
            None => Checkout::new(*s),
        };
        let r = search(&m, 20_000_000, |p| {
            if p.searched % (1 << 20) == 0 {
                eprintln!("{p:?}")
            }
        });
        println!(
            "{:10} states {} steps {} depth {} settled {} complete {} {:?}",
            s.name, r.states, r.steps, r.depth, r.settled, r.complete, r.took
        );
        if let Some(w) = r.wrong {
            println!("{w:?}");
        }
    }
}
