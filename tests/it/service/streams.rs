//! Streams that a caller sends get the same care as single requests.

use super::stand::{Stand, get};
use freehold_tests::{
    database::TestDatabase,
    errors::{assert_error, assert_fails},
};
use futures_util::{Stream, stream};
use shared_db::{
    error::Reason,
    service::{Limits, accept_stream},
};
use std::{pin::Pin, time::Duration};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Result, Streaming, client::Grpc, codec::CompressionEncoding};
use tonic_prost::ProstCodec;
use web_api::v1::{
    self as pb, file_service_client::FileServiceClient, file_service_server::FileService,
};

/// Takes the messages of an upload and says how many there were; what else it does is said by the header `x-do`.
pub(super) struct OddFiles {
    pub(super) limits: Limits,
}

#[tonic::async_trait]
impl FileService for OddFiles {
    type DownloadFileStream = Pin<Box<dyn Stream<Item = Result<pb::DownloadFileResponse>> + Send>>;

    async fn upload_file(
        &self,
        request: Request<Streaming<pb::UploadFileRequest>>,
    ) -> Result<Response<pb::File>> {
        let what = request.metadata().get("x-do").unwrap().to_str().unwrap().to_owned();
        let (caller, mut messages) = accept_stream(request, &self.limits)?;
        let mut size_bytes = 0;
        while messages.next().await?.is_some() {
            size_bytes += 1;
            assert_ne!(what, "panic", "as asked");
        }
        let organization_id = caller.org()?.to_string();
        Ok(Response::new(pb::File { size_bytes, organization_id, ..pb::File::default() }))
    }

    async fn get_file(&self, _: Request<pb::GetFileRequest>) -> Result<Response<pb::File>> {
        unreachable!("no test calls it")
    }

    async fn batch_get_files(
        &self,
        _: Request<pb::BatchGetFilesRequest>,
    ) -> Result<Response<pb::BatchGetFilesResponse>> {
        unreachable!("no test calls it")
    }

    async fn list_files(
        &self,
        _: Request<pb::ListFilesRequest>,
    ) -> Result<Response<pb::ListFilesResponse>> {
        unreachable!("no test calls it")
    }

    async fn download_file(
        &self,
        _: Request<pb::DownloadFileRequest>,
    ) -> Result<Response<Self::DownloadFileStream>> {
        unreachable!("no test calls it")
    }

    async fn update_file(&self, _: Request<pb::UpdateFileRequest>) -> Result<Response<pb::File>> {
        unreachable!("no test calls it")
    }

    async fn delete_file(&self, _: Request<pb::DeleteFileRequest>) -> Result<Response<pb::File>> {
        unreachable!("no test calls it")
    }

    async fn undelete_file(
        &self,
        _: Request<pb::UndeleteFileRequest>,
    ) -> Result<Response<pb::File>> {
        unreachable!("no test calls it")
    }

    async fn create_file_url(
        &self,
        _: Request<pb::CreateFileUrlRequest>,
    ) -> Result<Response<pb::CreateFileUrlResponse>> {
        unreachable!("no test calls it")
    }
}

fn first() -> pb::UploadFileRequest {
    let file = pb::File { name: "a".into(), ..pb::File::default() };
    pb::UploadFileRequest { file: Some(file), ..pb::UploadFileRequest::default() }
}

/// A call as somebody with this role, whose stream ends when the sender is dropped.
fn upload(
    what: &str,
    role: &'static str,
) -> (
    tokio::sync::mpsc::Sender<pb::UploadFileRequest>,
    Request<ReceiverStream<pb::UploadFileRequest>>,
) {
    let (sender, messages) = tokio::sync::mpsc::channel(8);
    let mut request = get(what).map(|_| ReceiverStream::new(messages));
    request.metadata_mut().insert("x-role", role.parse().unwrap());
    (sender, request)
}

async fn client(stand: &Stand) -> FileServiceClient<tonic::transport::Channel> {
    FileServiceClient::new(stand.channel().await)
}

/// The stream is open and empty when it is refused.
#[tokio::test]
async fn whoever_may_not_call_is_refused_before_the_first_message() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = client(&stand).await;
    let (_open, request) = upload("count", "viewer");
    let result = client.upload_file(request).await;
    assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    let (_open, request) = upload("count", "nobody");
    let result = client.upload_file(request).await;
    assert_fails(result, Code::Unauthenticated, Reason::CredentialsMissing, None);
}

#[tokio::test]
async fn each_message_is_held_to_the_rules() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = client(&stand).await;
    let wrong = pb::UploadFileRequest { expected_size_bytes: Some(-1), ..Default::default() };
    for (messages, field) in [
        (vec![pb::UploadFileRequest { file: Some(pb::File::default()), ..first() }], "file.name"),
        (vec![first(), first(), wrong], "expected_size_bytes"),
    ] {
        let (_, request) = upload("count", "developer");
        let request = request.map(|_| stream::iter(messages));
        let result = client.upload_file(request).await;
        assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    }
    let (_, request) = upload("count", "developer");
    let answer = client.upload_file(request.map(|_| stream::iter(vec![first(); 3]))).await;
    assert_eq!(answer.unwrap().into_inner().size_bytes, 3);
}

#[tokio::test]
async fn a_panic_in_the_middle_is_internal_and_nothing_else_suffers() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = client(&stand).await;
    let (sender, request) = upload("panic", "developer");
    sender.send(first()).await.unwrap();
    let status =
        assert_fails(client.upload_file(request).await, Code::Internal, Reason::Internal, None);
    assert!(!status.message().contains("as asked"), "internals do not leak: {status:?}");
    let (sender, request) = upload("count", "developer");
    sender.send(first()).await.unwrap();
    drop(sender);
    client.upload_file(request).await.expect("the same connection goes on");
}

#[tokio::test]
async fn silence_ends_a_call_and_slowness_does_not() {
    let database = TestDatabase::create().await;
    let settings =
        ["--stream-silence-max", "500ms", "--deadline-default", "300ms", "--deadline-max", "300ms"];
    let stand = Stand::start(&database, &settings).await;
    let mut client = client(&stand).await;
    let (sender, request) = upload("count", "developer");
    sender.send(first()).await.unwrap();
    let result = client.upload_file(request).await;
    assert_fails(result, Code::DeadlineExceeded, Reason::DeadlineExceeded, None);

    let (sender, request) = upload("count", "developer");
    let slowly = async {
        for _ in 0..8 {
            sender.send(first()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        drop(sender);
    };
    let (answer, ()) = tokio::join!(client.upload_file(request), slowly);
    assert_eq!(answer.unwrap().into_inner().size_bytes, 8);
}

#[tokio::test]
async fn they_take_places_of_streams_and_not_of_calls() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &["--calls-max", "1", "--streams-max", "1"]).await;
    let mut client = client(&stand).await;
    let (sender, request) = upload("count", "developer");
    let open = tokio::spawn({
        let mut client = client.clone();
        async move { client.upload_file(request).await }
    });
    sender.send(first()).await.unwrap();
    loop {
        let (second, request) = upload("count", "developer");
        drop(second);
        let result = client.upload_file(request).await;
        if result.is_err() {
            assert_fails(result, Code::ResourceExhausted, Reason::Overloaded, None);
            break;
        }
    }
    stand.client().await.get_execution(get("nothing")).await.expect("a call has its own place");
    drop(sender);
    assert_eq!(open.await.unwrap().unwrap().into_inner().size_bytes, 1);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    // A message whose field 1 is a number where the method has a message.
    let wrong = pb::ListExecutionsRequest { page_size: 7, ..Default::default() };
    let (_, request) = upload("count", "developer");
    let request = request.map(|_| stream::iter([wrong]));
    let mut grpc = Grpc::new(stand.channel().await).send_compressed(CompressionEncoding::Gzip);
    grpc.ready().await.unwrap();
    let path = "/freehold.web.v1.FileService/UploadFile".parse().unwrap();
    let codec = ProstCodec::<pb::ListExecutionsRequest, pb::File>::default();
    let status = grpc.client_streaming(request, path, codec).await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, Reason::MalformedMessage, None);
}
