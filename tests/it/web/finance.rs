mod money;
