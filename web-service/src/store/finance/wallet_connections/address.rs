//! Addresses as their chains check them: a mistyped one is found before anything is sent there. Each has one form in which it is kept.

use crate::store::enums::WalletChain;
use sha3::{Digest, Keccak256};

/// `address` in the form that all of its spellings share, or why it is none of `chain`.
pub(super) fn canonical(chain: WalletChain, address: &str) -> Result<String, &'static str> {
    match chain {
        WalletChain::Ethereum | WalletChain::Polygon | WalletChain::Base => evm(address),
        WalletChain::Solana => solana(address),
        WalletChain::Bitcoin => bitcoin(address),
    }
}

/// 20 bytes in hexadecimal. Letters of both cases carry the checksum of EIP-55, which is what comes out.
fn evm(address: &str) -> Result<String, &'static str> {
    let digits = address.strip_prefix("0x").filter(|it| it.len() == 40);
    let digits = digits.filter(|it| it.bytes().all(|it| it.is_ascii_hexdigit()));
    let digits = digits.ok_or("must be 0x and 40 hexadecimal digits")?;
    let lower = digits.to_ascii_lowercase();
    let hash = Keccak256::digest(lower.as_bytes());
    let nibble = |index: usize| {
        let byte = hash[index / 2];
        if index.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
    };
    let letter =
        |(index, it): (usize, char)| if 8 <= nibble(index) { it.to_ascii_uppercase() } else { it };
    let summed: String = lower.chars().enumerate().map(letter).collect();
    let says_nothing = digits == lower || digits == digits.to_ascii_uppercase();
    if says_nothing || digits == summed {
        return Ok(format!("0x{summed}"));
    }
    Err("does not have the checksum of EIP-55: a letter is wrong")
}

/// A public key: 32 bytes in base58, of which there is one spelling.
fn solana(address: &str) -> Result<String, &'static str> {
    match bs58::decode(address).into_vec() {
        Ok(bytes) if bytes.len() == 32 => Ok(address.to_owned()),
        _ => Err("must be 32 bytes in base58"),
    }
}

/// Base58 with a checksum (P2PKH and P2SH of the main net), or a segwit address, which may be in capitals.
fn bitcoin(address: &str) -> Result<String, &'static str> {
    if let Ok((prefix, _, _)) = bech32::segwit::decode(address) {
        let main = prefix.as_str().eq_ignore_ascii_case("bc");
        return if main { Ok(address.to_ascii_lowercase()) } else { Err("is of a test network") };
    }
    match bs58::decode(address).with_check(None).into_vec() {
        Ok(bytes) if bytes.len() == 21 && matches!(bytes[0], 0x00 | 0x05) => Ok(address.to_owned()),
        _ => Err("must be an address of the main net in base58check or bech32"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From EIP-55, Solana's documentation and BIP-173 and -350; the second of each has one letter changed.
    const PAIRS: [(WalletChain, &str, &str); 5] = [
        (
            WalletChain::Ethereum,
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed",
        ),
        (
            WalletChain::Base,
            "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359",
            "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d35",
        ),
        (
            WalletChain::Solana,
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5D0",
        ),
        (
            WalletChain::Bitcoin,
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
            "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3",
        ),
        (
            WalletChain::Bitcoin,
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        ),
    ];

    #[test]
    fn a_letter_that_is_wrong_is_found() {
        for (chain, right, wrong) in PAIRS {
            assert!(canonical(chain, right).is_ok(), "{right}");
            assert!(canonical(chain, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_spelling_comes_out_as_one() {
        let evm = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        let capitals = format!("0x{}", evm[2..].to_ascii_uppercase());
        for spelling in [evm, &evm.to_ascii_lowercase(), &capitals] {
            assert_eq!(canonical(WalletChain::Ethereum, spelling).as_deref(), Ok(evm));
        }
        let segwit = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
        for spelling in [segwit, &segwit.to_ascii_uppercase()] {
            assert_eq!(canonical(WalletChain::Bitcoin, spelling).as_deref(), Ok(segwit));
        }
        for (chain, address, _) in [PAIRS[2], PAIRS[3]] {
            assert_eq!(canonical(chain, address).as_deref(), Ok(address), "it has one spelling");
        }
    }

    #[test]
    fn an_address_of_another_chain_is_none() {
        for (chain, address, _) in PAIRS {
            let others = WalletChain::ALL.iter().filter(|it| {
                let evm =
                    |it: WalletChain| !matches!(it, WalletChain::Solana | WalletChain::Bitcoin);
                **it != chain && !(evm(**it) && evm(chain))
            });
            for other in others {
                assert!(canonical(*other, address).is_err(), "{address} on {other:?}");
            }
        }
    }
}
