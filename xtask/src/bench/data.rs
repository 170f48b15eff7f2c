//! Generated input: id, name, score, category, amount. The same rows on every machine.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::Error;

const GIVEN: [&str; 8] = ["Ada", "Berta", "Carl", "Dora", "Emil", "Frida", "Gustav", "Hedwig"];
const FAMILY: [&str; 8] = ["Adler", "Brandt", "Conrad", "Dietz", "Ebert", "Faber", "Gruber", "Hartmann"];
const CATEGORIES: [&str; 5] = ["books", "food", "garden", "office", "travel"];

/// Writes `rows` records with a header, unless the file is there already.
pub(super) fn write(path: &Path, rows: u64) -> Result<(), Error> {
    if path.is_file() {
        return Ok(());
    }
    // A file that is there is complete: it gets its name last.
    let partial = path.with_extension("partial");
    let file = File::create(&partial).map_err(Error::io(&partial))?;
    let mut writer = BufWriter::new(file);
    records(&mut writer, rows).and_then(|()| writer.flush()).map_err(Error::io(&partial))?;
    std::fs::rename(&partial, path).map_err(Error::io(path))
}

fn records(out: &mut impl Write, rows: u64) -> std::io::Result<()> {
    writeln!(out, "id,name,score,category,amount")?;
    for id in 1..=rows {
        let mut random = SplitMix(id);
        let (given, family) = (random.pick(&GIVEN), random.pick(&FAMILY));
        let score = random.below(10_000);
        let category = random.pick(&CATEGORIES);
        let (whole, cents) = (random.below(10_000), random.below(100));
        writeln!(out, "{id},{given} {family},0.{score:04},{category},{whole}.{cents:02}")?;
    }
    Ok(())
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        let at = usize::try_from(self.below(texts.len() as u64)).expect("it is below the length of a list");
        texts[at]
    }
}

#[cfg(test)]
mod tests {
    use super::{SplitMix, records};

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut random = SplitMix(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn rows_do_not_depend_on_how_many_there_are() {
        let text = |rows| {
            let mut out = Vec::new();
            records(&mut out, rows).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(2).lines().count(), 3);
        assert!(text(20).starts_with(&text(10)));
        assert!(text(1).lines().nth(1).unwrap().starts_with("1,"));
    }
}
