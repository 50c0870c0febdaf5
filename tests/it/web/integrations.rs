mod installations;
