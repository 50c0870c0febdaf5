mod hired_employees;
