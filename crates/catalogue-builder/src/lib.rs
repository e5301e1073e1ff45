//! Builds the catalogue's blob from botocore's service models, reproducibly, and checks it
//! against requests that the real botocore clients make.
