//! The blob that is compiled in.

use countersign_catalogue::Catalogue;
use sha2::{Digest, Sha256};

#[test]
fn the_blob_is_the_one_whose_hash_is_committed_and_is_small() {
    let blob = include_bytes!("../../data/catalogue.bin");
    let committed = include_str!("../../data/catalogue.bin.sha256").trim();
    let found: String = Sha256::digest(blob).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found, committed);
    assert!(blob.len() <= 1_500_000, "{} bytes", blob.len());
}

#[test]
fn every_service_decodes() {
    let catalogue = Catalogue::embedded();
    let mut operations = 0;
    for entry in catalogue.services() {
        let service = catalogue.service(entry.id).unwrap_or_else(|| panic!("{} is damaged", entry.id));
        assert_eq!(service.model().operations.len(), entry.operations);
        assert!(service.model().operations.is_sorted_by_key(|operation| operation.name));
        operations += entry.operations;
    }
    assert_eq!((catalogue.services().len(), operations), (439, 19_796));
}

#[test]
fn damage_is_an_error_and_never_a_panic() {
    let blob = include_bytes!("../../data/catalogue.bin");
    for length in [0, 4, 5, 100, 20_000, blob.len() - 1] {
        assert!(Catalogue::from_blob(&blob[..length]).is_err(), "{length}");
    }
}
