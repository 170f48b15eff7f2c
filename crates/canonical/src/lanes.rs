//! BLAKE3 over several short texts at once: each has a lane of its own in every vector.
//!
//! The `blake3` crate works on the blocks of one long text side by side, and on a short text block after block. What an
//! audit trail hashes is short: rows, states, leaves, the nodes of trees. This is BLAKE3's compression function, from its
//! specification (section 2.2 and table 2), written so that a compiler makes vector instructions of it; the digests are
//! those of the crate, as the tests compare. `multiversion` makes one copy for each set of instructions and chooses while the
//! program runs.

use multiversion::multiversion;

/// Texts at once.
pub(crate) const LANES: usize = 16;
/// Bytes of a block.
pub(crate) const BLOCK: usize = 64;
/// Blocks of one chunk, beyond which BLAKE3 makes a tree.
pub(crate) const BLOCKS: usize = 16;

type Lanes = [u32; LANES];

const IV: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];
const CHUNK_START: u32 = 1;
const CHUNK_END: u32 = 2;
const ROOT: u32 = 8;

/// The words of a block in the order in which each round takes them: the permutation of table 2, applied once a round.
const ORDER: [[usize; 16]; 7] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8],
    [3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1],
    [10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6],
    [12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4],
    [9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7],
    [11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13],
];

/// The digests of texts that have as many blocks as the first one, and at most [`BLOCKS`].
pub(crate) fn side_by_side(texts: &[&[u8]; LANES]) -> [[u8; 32]; LANES] {
    let blocks = texts[0].len().div_ceil(BLOCK).max(1);
    let mut chaining = IV.map(|word| [word; LANES]);
    for number in 0..blocks {
        let (mut words, mut lengths) = ([[0; LANES]; 16], [0; LANES]);
        for (lane, text) in texts.iter().enumerate() {
            let rest = &text[number * BLOCK..];
            let mut block = [0; BLOCK];
            let length = rest.len().min(BLOCK);
            block[..length].copy_from_slice(&rest[..length]);
            lengths[lane] = u32::try_from(length).expect("a block is no longer");
            for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
                word[lane] = u32::from_le_bytes(*bytes);
            }
        }
        let start = if number == 0 { CHUNK_START } else { 0 };
        let end = if number + 1 == blocks { CHUNK_END | ROOT } else { 0 };
        compress(&mut chaining, &words, &lengths, start | end);
    }
    std::array::from_fn(|lane| {
        let mut digest = [0; 32];
        let (four, _) = digest.as_chunks_mut::<4>();
        for (bytes, word) in four.iter_mut().zip(&chaining) {
            *bytes = word[lane].to_le_bytes();
        }
        digest
    })
}

// One loop over the lanes, with everything that is done to a lane in a straight line: so that it is the loop that becomes
// vectors, whatever is around it. Loops over the lanes within the rounds were unrolled before, and put together again by luck.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl+avx512dq+avx2", "x86_64+avx2"))]
fn compress(chaining: &mut [Lanes; 8], words: &[Lanes; 16], lengths: &Lanes, flags: u32) {
    for lane in 0..LANES {
        let mut state = [0; 16];
        for (word, lanes) in state.iter_mut().zip(chaining.iter()) {
            *word = lanes[lane];
        }
        state[8..12].copy_from_slice(&IV[..4]);
        // The two words before are the number of the chunk, which is the first.
        state[14] = lengths[lane];
        state[15] = flags;
        // Written out, since a loop would keep the compiler from knowing the order.
        round(&mut state, words, lane, &ORDER[0]);
        round(&mut state, words, lane, &ORDER[1]);
        round(&mut state, words, lane, &ORDER[2]);
        round(&mut state, words, lane, &ORDER[3]);
        round(&mut state, words, lane, &ORDER[4]);
        round(&mut state, words, lane, &ORDER[5]);
        round(&mut state, words, lane, &ORDER[6]);
        for (at, lanes) in chaining.iter_mut().enumerate() {
            lanes[lane] = state[at] ^ state[at + 8];
        }
    }
}

#[inline(always)]
fn round(state: &mut [u32; 16], words: &[Lanes; 16], lane: usize, order: &[usize; 16]) {
    let word = |at: usize| words[order[at]][lane];
    quarter(state, [0, 4, 8, 12], [word(0), word(1)]);
    quarter(state, [1, 5, 9, 13], [word(2), word(3)]);
    quarter(state, [2, 6, 10, 14], [word(4), word(5)]);
    quarter(state, [3, 7, 11, 15], [word(6), word(7)]);
    quarter(state, [0, 5, 10, 15], [word(8), word(9)]);
    quarter(state, [1, 6, 11, 12], [word(10), word(11)]);
    quarter(state, [2, 7, 8, 13], [word(12), word(13)]);
    quarter(state, [3, 4, 9, 14], [word(14), word(15)]);
}

#[inline(always)]
fn quarter(state: &mut [u32; 16], [a, b, c, d]: [usize; 4], [x, y]: [u32; 2]) {
    state[a] = state[a].wrapping_add(state[b]).wrapping_add(x);
    state[d] = (state[d] ^ state[a]).rotate_right(16);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_right(12);
    state[a] = state[a].wrapping_add(state[b]).wrapping_add(y);
    state[d] = (state[d] ^ state[a]).rotate_right(8);
    state[c] = state[c].wrapping_add(state[d]);
    state[b] = (state[b] ^ state[c]).rotate_right(7);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_of_any_length_have_the_digests_of_blake3() {
        for length in 0..=BLOCK * BLOCKS {
            // As many blocks, but not all of one length, nor of one content.
            let shortest = length.saturating_sub(1) / BLOCK * BLOCK;
            let lane = |lane: usize| {
                let own = length - (lane * 5) % (length - shortest).max(1);
                (0..own).map(|at| u8::try_from((at * 7 + lane * 31) % 251).unwrap()).collect::<Vec<u8>>()
            };
            let texts: [Vec<u8>; LANES] = std::array::from_fn(lane);
            let digests = side_by_side(&std::array::from_fn(|lane| texts[lane].as_slice()));
            for (text, digest) in texts.iter().zip(digests) {
                assert_eq!(digest, *blake3::hash(text).as_bytes(), "{} bytes", text.len());
            }
        }
    }
}
