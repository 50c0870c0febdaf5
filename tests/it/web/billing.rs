mod prices;
