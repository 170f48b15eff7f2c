use elspeth_expr::{Expr, Root};
fn main() {
    let root = match std::env::args().nth(1).unwrap().as_str() {
        "row" => Root::Row,
        "trigger" => Root::Trigger,
        _ => Root::Commencement,
    };
    let mut out = vec![];
    for line in std::io::stdin().lines() {
        let text = line.unwrap().replace('\u{240a}', "\n");
        match Expr::parse(&text, root) {
            Ok(e) => eprintln!("ACCEPTED {text:?} {e:?}"),
            Err(error) => {
                let before = text[..error.span.start].chars().count();
                let marked = text[error.span.start..error.span.end].chars().count().max(1);
                let help = error.help.as_deref().unwrap_or("-");
                out.push(format!(
                    "{}\n{}{}\n{}\n{help}",
                    text.replace('\n', "\u{240a}"),
                    " ".repeat(before),
                    "^".repeat(marked),
                    error.message
                ));
            }
        }
    }
    println!("{}", out.join("\n\n"));
}
